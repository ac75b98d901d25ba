/** What a client holds of one chat. Plain values, never changed in place. */
import type { Citation, Cursor, Memory, MessageStatus, PlanStep } from "./protocol";

export interface Message {
  readonly id: string;
  readonly role: "user" | "assistant";
  readonly text: string;
  readonly status: MessageStatus | "streaming";
  readonly runId: string | null;
  readonly clientMessageId: string | null;
  readonly citations: readonly Citation[];
  /** RFC 3339, for display; null if unknown. */
  readonly createdAt: string | null;
  /** Which execution of the run wrote the text. */
  readonly attempt: number;
  /** Number of the last piece in `text`; -1 before the first; null if unknown. */
  readonly chunk: number | null;
  /** A piece is missing, so later ones are not applied until the whole text comes. */
  readonly isTorn: boolean;
}

export interface Team {
  readonly name: string;
  readonly task: string;
  readonly state: "running" | "done" | "failed";
  readonly attempt: number;
  /** 0 to 1; null if the team does not say. */
  readonly fraction: number | null;
  readonly text: string;
  readonly summary: string;
  readonly seconds: number | null;
  readonly code: string | null;
}

export type RunStatus = "queued" | "running" | "waiting" | "completed" | "failed" | "cancelled";
/** The furthest step a run has reached. */
export type RunPhase = "waiting" | "starting" | "planning" | "teams" | "aggregating" | "answering";

export interface Run {
  readonly id: string;
  readonly questionId: string | null;
  readonly status: RunStatus;
  readonly phase: RunPhase;
  readonly attempt: number;
  /** Why it was picked up again, if it was. */
  readonly resumedBecause: string | null;
  readonly memory: { status: string; count: number; memories: readonly Memory[] } | null;
  readonly plan: { intent: string; steps: readonly PlanStep[] } | null;
  readonly teams: readonly Team[];
  readonly saved: { count: number } | { code: string } | null;
  readonly error: { code: string; message: string; isRetryable: boolean } | null;
  readonly seconds: number | null;
}

export interface Chat {
  readonly chatId: string | null;
  readonly title: string | null;
  /** Null before the first snapshot. */
  readonly cursor: Cursor | null;
  readonly messages: readonly Message[];
  readonly runs: Readonly<Record<string, Run>>;
  /** Older messages exist on the server. */
  readonly hasMore: boolean;
  /** Where the page of older messages begins, if the server has said so. */
  readonly before: string | null;
}

export const EMPTY: Chat = {
  chatId: null,
  title: null,
  cursor: null,
  messages: [],
  runs: {},
  hasMore: false,
  before: null,
};

export const NEW_RUN: Omit<Run, "id"> = {
  questionId: null,
  status: "queued",
  phase: "waiting",
  attempt: 0,
  resumedBecause: null,
  memory: null,
  plan: null,
  teams: [],
  saved: null,
  error: null,
  seconds: null,
};

export const NEW_MESSAGE: Omit<Message, "id" | "role"> = {
  text: "",
  status: "complete",
  runId: null,
  clientMessageId: null,
  citations: [],
  createdAt: null,
  attempt: 0,
  chunk: null,
  isTorn: false,
};

/** Tell whether a run has reached its one end. */
export function hasEnded(run: Run): boolean {
  return run.status === "completed" || run.status === "failed" || run.status === "cancelled";
}

/** Return the run that is being worked on, or the first that waits for its turn. */
export function activeRun(chat: Chat): Run | null {
  const open = Object.values(chat.runs).filter((run) => !hasEnded(run));
  return open.find((run) => run.status !== "queued") ?? open[0] ?? null;
}
