/** What the progress rail says about a run: one line, and the steps behind it. Pure. */
import { hasEnded, type Run, type Team } from "../client/index";
import { formatNumber, named, t, tn } from "./i18n/translate";

export type StepState = "active" | "done" | "failed" | "skipped";

export interface Step {
  readonly key: string;
  readonly state: StepState;
  readonly label: string;
  readonly detail: string;
  /** 0 to 1, if the step says how far it is. */
  readonly fraction: number | null;
  readonly seconds: number | null;
  /** The memories that were used, for the memory step. */
  readonly memories: NonNullable<Run["memory"]>["memories"];
}

/** Return a team's name in the person's language. */
export function teamName(name: string): string {
  return named("team", name, name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " "));
}

/** Return the steps that a run has reached, in the order of the work. */
export function stepsOf(run: Run): readonly Step[] {
  const isOver = hasEnded(run);
  const steps: Step[] = [];
  const add = (key: string, state: StepState, label: string, more: Partial<Step> = {}): void => {
    steps.push({
      key,
      state: state === "active" && isOver ? "skipped" : state,
      label,
      detail: "",
      fraction: null,
      seconds: null,
      memories: [],
      ...more,
    });
  };
  if (run.resumedBecause !== null) {
    add("resumed", "done", t("rail.resumed", { n: run.attempt }));
  }
  if (run.memory !== null) {
    const state = run.memory.status === "degraded" ? "failed" : "done";
    add("memory", state, memoryWords(run.memory), { memories: run.memory.memories });
  }
  if (run.plan !== null) {
    const { steps: planned, intent } = run.plan;
    const label = planned.length === 0 ? t("plan.none") : t("plan.ready");
    const detail = joined([...new Set(planned.map((step) => teamName(step.team)))]);
    const reading = named("intent", intent, intent.replaceAll("_", " "));
    add("plan", "done", label, { detail: detail === "" ? reading : detail });
  } else if (run.phase === "planning") {
    add("plan", "active", t("rail.planning"));
  }
  run.teams.forEach((team, at) =>
    add(`team-${at}`, stateOf(team), teamName(team.name), about(team)),
  );
  if (run.phase === "aggregating") add("aggregating", "active", t("rail.aggregating"));
  if (run.phase === "answering" && !isOver) add("answering", "active", t("rail.answering"));
  if (run.saved !== null) {
    if ("code" in run.saved) add("saved", "failed", t("memory.save_failed"));
    else if (run.saved.count > 0) add("saved", "done", tn("memory.saved", run.saved.count));
  }
  return steps;
}

/** Return the one line that stands for the whole run. */
export function summaryOf(run: Run, sources: number, isStopping: boolean): string {
  switch (run.status) {
    case "queued":
      return t("rail.queued");
    case "waiting":
      return t("rail.waiting");
    case "failed":
      return t("rail.failed");
    case "cancelled":
      return joined([t("rail.stopped"), ...results(run, sources)]);
    case "completed":
      return joined([t("rail.done"), ...results(run, sources)]);
    case "running":
      return isStopping ? t("rail.stopping") : current(run);
  }
}

function current(run: Run): string {
  if (run.phase === "answering") return joined([t("rail.answering"), ...results(run, 0)]);
  if (run.phase === "aggregating") return t("rail.aggregating");
  if (run.phase === "planning") return t("rail.planning");
  const busy = run.teams.filter((team) => team.state === "running");
  if (busy.length > 0) {
    return t("rail.working", { teams: busy.map((team) => teamName(team.name)).join(", ") });
  }
  return run.phase === "teams" ? t("rail.planning") : t("rail.starting");
}

function results(run: Run, sources: number): string[] {
  const parts = run.teams
    .filter((team) => team.state === "done")
    .map((team) => teamName(team.name));
  const unique = [...new Set(parts)];
  if (run.memory !== null && run.memory.count > 0)
    unique.push(tn("rail.memories", run.memory.count));
  if (sources > 0) unique.push(tn("rail.sources", sources));
  if (isNoticed(run.seconds)) unique.push(t("rail.seconds", { n: formatNumber(run.seconds) }));
  return unique;
}

const joined = (parts: readonly string[]): string => parts.join(" · ");

export function memoryWords(memory: NonNullable<Run["memory"]>): string {
  if (memory.status === "anonymous") return t("memory.anonymous");
  if (memory.status === "off") return t("memory.off");
  if (memory.status === "degraded") return t("memory.degraded");
  return memory.count === 0 ? t("memory.none") : tn("memory.ok", memory.count);
}

function stateOf(team: Team): StepState {
  return team.state === "running" ? "active" : team.state;
}

/** A time too short to notice is not worth a word. */
function isNoticed(seconds: number | null): seconds is number {
  return seconds !== null && seconds >= 0.05;
}

function about(team: Team): Partial<Step> {
  const name = teamName(team.name);
  if (team.state === "failed") {
    const code = team.code ?? "";
    const words = code === "team_timeout" ? t("team.failed.team_timeout", { team: name }) : null;
    return { label: words ?? t("team.failed", { team: name, code }), detail: team.task };
  }
  if (team.state === "done") {
    const seconds = isNoticed(team.seconds) ? team.seconds : null;
    return { detail: team.summary === "" ? team.task : team.summary, seconds };
  }
  return { detail: team.text === "" ? team.task : team.text, fraction: team.fraction };
}
