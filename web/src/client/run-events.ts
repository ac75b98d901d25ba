/** How a run's own events change it. Pure; the same events in the same order give the same run. */
import type { RunEvent } from "./protocol";
import { hasEnded, NEW_RUN, type Run, type RunPhase, type Team } from "./state";

const PHASES: readonly RunPhase[] = [
  "waiting",
  "starting",
  "planning",
  "teams",
  "aggregating",
  "answering",
];

/**
 * Apply one event to its run; `run` is undefined when the event is the first that names it.
 * An end is final. What an older execution still says after a newer one began is ignored.
 */
export function applyToRun(run: Run | undefined, event: RunEvent): Run {
  const held = run ?? { ...NEW_RUN, id: event.run_id };
  if (hasEnded(held)) return afterTheEnd(held, event);
  switch (event.type) {
    case "run_completed":
      return { ...held, status: "completed", seconds: event.seconds };
    case "run_failed": {
      const { code, message, retryable } = event;
      return { ...held, status: "failed", error: { code, message, isRetryable: retryable } };
    }
    case "run_cancelled":
      return { ...held, status: "cancelled" };
    case "run_queued":
      return held;
    default:
      break;
  }
  if (event.attempt < held.attempt) return held;
  return applyProgress({ ...held, attempt: event.attempt }, event);
}

type ProgressEvent = Exclude<
  RunEvent,
  { type: "run_completed" | "run_failed" | "run_cancelled" | "run_queued" }
>;

function applyProgress(run: Run, event: ProgressEvent): Run {
  switch (event.type) {
    case "run_started":
      return {
        ...reach(run, "starting"),
        status: run.status === "queued" ? "running" : run.status,
        questionId: event.message_id ?? run.questionId,
      };
    case "run_resumed":
      return { ...reach(run, "starting"), status: "running", resumedBecause: event.reason };
    case "run_waiting":
      return { ...run, status: "waiting" };
    case "memory_loaded": {
      const { status, memory_count: count, memories } = event;
      return { ...reach(run, "starting"), memory: { status, count, memories } };
    }
    case "planning_started":
      return reach(run, "planning");
    case "plan_ready": {
      const { intent, steps } = event;
      return { ...reach(run, "teams"), plan: { intent, steps } };
    }
    case "team_started":
    case "team_progress":
    case "team_completed":
    case "team_failed":
      return { ...reach(run, "teams"), teams: applyToTeams(run.teams, event) };
    case "aggregating":
      return reach(run, "aggregating");
    case "responding":
      return reach(run, "answering");
    case "memory_saved":
    case "memory_save_failed":
      return withSaved(run, event);
    default:
      return run; // a graph's own progress, or an event from a newer server
  }
}

/** Move a run forward to `phase`, never back: memory and planning may report in either order. */
export function reach(run: Run, phase: RunPhase): Run {
  const status = run.status === "queued" ? "running" : run.status;
  const isFurther = PHASES.indexOf(phase) > PHASES.indexOf(run.phase);
  return { ...run, status, phase: isFurther ? phase : run.phase };
}

function afterTheEnd(run: Run, event: RunEvent): Run {
  // Remembering may finish after the answer.
  if (event.type === "memory_saved" || event.type === "memory_save_failed") {
    return withSaved(run, event);
  }
  return run;
}

function withSaved(
  run: Run,
  event: Extract<RunEvent, { type: "memory_saved" | "memory_save_failed" }>,
): Run {
  const saved =
    event.type === "memory_saved" ? { count: event.memory_count } : { code: event.code };
  return { ...run, saved };
}

type TeamEvent = Extract<RunEvent, { team: string }>;

function applyToTeams(teams: readonly Team[], event: TeamEvent): readonly Team[] {
  if (event.type === "team_started") {
    const task = event.task ?? "";
    const place = teams.findIndex((team) => team.name === event.team && team.task === task);
    const held = teams[place];
    // Started before, in this execution: a replay.
    if (held !== undefined && held.attempt >= event.attempt) return teams;
    const fresh = newTeam(event.team, task, event.attempt);
    return held === undefined ? [...teams, fresh] : teams.with(place, fresh);
  }
  const place = teams.findLastIndex(
    (team) =>
      team.name === event.team &&
      team.state === "running" &&
      (event.task === undefined || team.task === event.task),
  );
  const held = teams[place];
  if (held === undefined) {
    if (teams.some((team) => team.name === event.team)) return teams;
    return [...teams, changed(newTeam(event.team, "", event.attempt), event)];
  }
  return teams.with(place, changed(held, event));
}

function newTeam(name: string, task: string, attempt: number): Team {
  return {
    name,
    task,
    state: "running",
    attempt,
    fraction: null,
    text: "",
    summary: "",
    seconds: null,
    code: null,
  };
}

function changed(team: Team, event: Exclude<TeamEvent, { type: "team_started" }>): Team {
  switch (event.type) {
    case "team_progress":
      return {
        ...team,
        fraction: event.fraction ?? team.fraction,
        text: event.text ?? team.text,
      };
    case "team_completed":
      return { ...team, state: "done", summary: event.summary, seconds: event.seconds };
    case "team_failed":
      return { ...team, state: "failed", code: event.code };
  }
}
