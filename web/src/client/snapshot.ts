/** Take a whole chat from a snapshot, and older messages from a page. Pure. */
import { withMessage } from "./apply";
import type { MessagePage, SnapshotFrame, SnapshotRun, StoredMessage } from "./protocol";
import { applyToRun, reach } from "./run-events";
import { type Chat, hasEnded, type Message, NEW_MESSAGE, NEW_RUN, type Run } from "./state";

/**
 * Return the chat as the snapshot shows it. Of what was held before, two things are kept that a
 * snapshot does not carry: older pages that lead up to it, and how finished runs went.
 */
export function fromSnapshot(held: Chat, frame: SnapshotFrame): Chat {
  const page = frame.messages.map(fromStored);
  const known = held.chatId === frame.chat.chat_id ? held : null;
  const older = known === null ? [] : olderThan(known.messages, page);
  const runs = Object.fromEntries(frame.runs.map((run) => [run.run_id, openRun(run)]));
  let chat: Chat = {
    chatId: frame.chat.chat_id,
    title: frame.chat.title,
    cursor: { epoch: frame.epoch, offset: frame.offset, key: frame.key },
    messages: [...older, ...page],
    runs: { ...finishedRuns(known, page, runs), ...endedRuns(known, frame), ...runs },
    hasMore: older.length > 0 && known !== null ? known.hasMore : frame.has_more,
    before: older.length > 0 && known !== null ? known.before : (frame.next ?? null),
  };
  for (const run of frame.runs) {
    if (run.partial !== null) chat = withMessage(chat, partialAnswer(run, run.partial));
  }
  return chat;
}

/** Put a page of older messages, oldest first, before those that are held. */
export function withOlder(chat: Chat, page: MessagePage): Chat {
  const held = new Set(chat.messages.map((message) => message.id));
  const older = page.messages.filter((message) => !held.has(message.message_id)).map(fromStored);
  return {
    ...chat,
    messages: [...older, ...chat.messages],
    hasMore: page.next !== null,
    before: page.next,
  };
}

function fromStored(stored: StoredMessage): Message {
  return {
    ...NEW_MESSAGE,
    id: stored.message_id,
    role: stored.role,
    text: stored.text,
    status: stored.status ?? "complete",
    runId: stored.run_id ?? null,
    clientMessageId: stored.client_message_id ?? null,
    citations: stored.citations ?? [],
    createdAt: stored.created_at ?? null,
  };
}

function partialAnswer(run: SnapshotRun, partial: NonNullable<SnapshotRun["partial"]>): Message {
  return {
    ...NEW_MESSAGE,
    id: partial.message_id,
    role: "assistant",
    text: partial.text,
    status: "streaming",
    runId: run.run_id,
    attempt: run.attempt,
    chunk: partial.chunk ?? null,
  };
}

function openRun(shown: SnapshotRun): Run {
  let run: Run = { ...NEW_RUN, id: shown.run_id, questionId: shown.message_id };
  for (const event of shown.events) run = applyToRun(run, event);
  run = { ...run, status: shown.status, attempt: Math.max(run.attempt, shown.attempt) };
  if (run.status === "queued") return run;
  return reach(run, shown.partial === null ? "starting" : "answering");
}

function olderThan(held: readonly Message[], page: readonly Message[]): readonly Message[] {
  const first = page[0];
  if (first === undefined) return [];
  const overlap = held.findIndex((message) => message.id === first.id);
  return overlap === -1 ? [] : held.slice(0, overlap);
}

function finishedRuns(
  held: Chat | null,
  page: readonly Message[],
  open: Record<string, Run>,
): Record<string, Run> {
  const kept: Record<string, Run> = {};
  for (const run of Object.values(held?.runs ?? {})) {
    if (run.id in open) continue;
    if (hasEnded(run)) {
      kept[run.id] = run;
      continue;
    }
    // It ended unseen: its answer says how.
    const answer = page.find((message) => message.role === "assistant" && message.runId === run.id);
    if (answer !== undefined) kept[run.id] = { ...run, status: endOf(answer) };
  }
  return kept;
}

/** Runs that failed or were stopped, perhaps without a word, so that no answer tells of them. */
function endedRuns(held: Chat | null, frame: SnapshotFrame): Record<string, Run> {
  const ended: Record<string, Run> = {};
  for (const { run_id: id, status, code } of frame.ended ?? []) {
    const run = held?.runs[id];
    if (run !== undefined && hasEnded(run)) continue;
    const question = frame.messages.find(
      (message) => message.role === "user" && message.run_id === id,
    );
    const error = code === null ? null : { code, message: "", isRetryable: true };
    const questionId = question?.message_id ?? null;
    ended[id] = { ...(run ?? { ...NEW_RUN, id, questionId }), status, error };
  }
  return ended;
}

function endOf(answer: Message): Run["status"] {
  if (answer.status === "stopped") return "cancelled";
  return answer.status === "failed" ? "failed" : "completed";
}
