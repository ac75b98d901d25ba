/** What a screen reader is told: steps and finished answers, never every word. Pure. */
import { type Chat, hasEnded, type Message, type Run, type Status } from "../client/index";
import { t } from "./i18n/translate";
import { failureWords } from "./failure";
import { memoryWords, teamName } from "./steps";

const MOST = 600; // characters of an answer; the rest can be read in the conversation

/** Return what is new between two states of one chat, in the order in which it happened. */
export function announcements(before: Chat, after: Chat): string[] {
  // A chat that was just opened, or came back as a snapshot, is there to be read.
  if (before.cursor === null || before.chatId !== after.chatId) return [];
  const said: string[] = [];
  for (const run of Object.values(after.runs)) {
    const held = before.runs[run.id];
    if (held !== run) said.push(...aboutRun(held, run, answerOf(after, run)));
  }
  return said;
}

/** Return what to say about the connection, if anything. */
export function aboutConnection(before: Status, after: Status, wasLost: boolean): string | null {
  if (before.kind === "live" && after.kind === "waiting") return t("say.lost");
  if (before.kind !== "live" && after.kind === "live" && wasLost) return t("say.back");
  return null;
}

function aboutRun(held: Run | undefined, run: Run, answer: Message | undefined): string[] {
  if (held !== undefined && hasEnded(held)) return [];
  return [...aboutSteps(held, run), ...aboutEnd(run, answer)];
}

function aboutSteps(held: Run | undefined, run: Run): string[] {
  const said: string[] = [];
  const isFresh = held === undefined || held.status === "queued";
  if (isFresh && run.status === "running") said.push(t("say.started"));
  if (held?.memory == null && run.memory !== null && run.memory.count > 0) {
    said.push(t("say.memory", { text: memoryWords(run.memory) }));
  }
  if (held?.plan == null && run.plan !== null && run.plan.steps.length > 0) {
    const teams = run.plan.steps.map((step) => teamName(step.team)).join(", ");
    said.push(t("say.plan", { teams }));
  }
  run.teams.forEach((team, at) => {
    const wasRunning = held?.teams[at]?.state !== team.state;
    if (wasRunning && team.state === "done") {
      said.push(t("say.team_done", { team: teamName(team.name) }));
    }
  });
  return said;
}

function aboutEnd(run: Run, answer: Message | undefined): string[] {
  switch (run.status) {
    case "completed":
      return answer === undefined ? [] : [spoken(answer.text)];
    case "cancelled":
      return [t("say.stopped")];
    case "failed":
      return [t("say.failed", { text: failureWords(run.error) })];
    default:
      return [];
  }
}

function answerOf(chat: Chat, run: Run): Message | undefined {
  return chat.messages.findLast(
    (message) => message.role === "assistant" && message.runId === run.id,
  );
}

function spoken(markdown: string): string {
  const text = markdown
    .replace(/^ *(?:`{3,}|~{3,}).*$/gm, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\[\d{1,3}\]/g, "")
    .replace(/[*_`#>|~]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
  return text.length <= MOST
    ? t("say.answer", { text })
    : t("say.answer_cut", { text: text.slice(0, MOST) });
}
