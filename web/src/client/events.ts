/** Events of a chat: what its numbered log holds. */

export interface Citation {
  /** The number used in the text, as [1]. */
  n: number;
  title: string;
  source: string;
  url?: string | null;
  quote?: string | null;
}

export interface PlanStep {
  team: string;
  task: string;
}

export interface Memory {
  id: string;
  kind: string;
  title: string;
  snippet: string;
  date: string;
  score: number;
  reasons: string[];
}

export type MessageStatus = "complete" | "stopped" | "failed";

interface EventBase {
  offset: number;
  key: string;
  /** RFC 3339 UTC, for display: nothing is ordered by it. */
  timestamp: string;
  replayed?: boolean;
}

interface RunEventBase extends EventBase {
  run_id: string;
  /** Counts the executions of the run, from 1. */
  attempt: number;
}

interface AnswerEventBase extends RunEventBase {
  message_id: string;
}

export interface UserMessageEvent extends EventBase {
  type: "user_message";
  message_id: string;
  client_message_id: string | null;
  text: string;
  run_id: string;
}

export interface TitleChangedEvent extends EventBase {
  type: "title_changed";
  title: string;
}

export interface RunQueuedEvent extends EventBase {
  type: "run_queued";
  run_id: string;
  attempt?: number;
}

export interface RunStartedEvent extends RunEventBase {
  type: "run_started";
  /** The message being answered. */
  message_id?: string;
}

export interface RunResumedEvent extends RunEventBase {
  type: "run_resumed";
  reason: string;
}

export interface RunWaitingEvent extends RunEventBase {
  type: "run_waiting";
}

export interface RunCompletedEvent extends RunEventBase {
  type: "run_completed";
  usage?: Record<string, number>;
  seconds: number;
}

export interface RunFailedEvent extends RunEventBase {
  type: "run_failed";
  code: string;
  message: string;
  retryable: boolean;
  abandoned?: boolean;
}

export interface RunCancelledEvent extends RunEventBase {
  type: "run_cancelled";
  abandoned?: boolean;
}

export interface MemoryLoadedEvent extends RunEventBase {
  type: "memory_loaded";
  user_id: number | null;
  memory_count: number;
  memories: Memory[];
  /** ok, anonymous, off or degraded. */
  status: string;
}

export interface PlanningStartedEvent extends RunEventBase {
  type: "planning_started";
}

export interface PlanReadyEvent extends RunEventBase {
  type: "plan_ready";
  intent: string;
  steps: PlanStep[];
}

export interface TeamStartedEvent extends RunEventBase {
  type: "team_started";
  team: string;
  task?: string;
}

export interface TeamProgressEvent extends RunEventBase {
  type: "team_progress";
  team: string;
  task?: string;
  /** 0 to 1. */
  fraction?: number;
  text?: string;
}

export interface TeamCompletedEvent extends RunEventBase {
  type: "team_completed";
  team: string;
  task?: string;
  summary: string;
  seconds: number;
}

export interface TeamFailedEvent extends RunEventBase {
  type: "team_failed";
  team: string;
  task?: string;
  code: string;
}

export interface AggregatingEvent extends RunEventBase {
  type: "aggregating";
}

export interface RespondingEvent extends RunEventBase {
  type: "responding";
}

export interface MemorySavedEvent extends RunEventBase {
  type: "memory_saved";
  memory_count: number;
}

export interface MemorySaveFailedEvent extends RunEventBase {
  type: "memory_save_failed";
  code: string;
}

export interface CustomEvent extends RunEventBase {
  type: "custom";
  name: string;
  payload: unknown;
}

export interface MessageStartedEvent extends AnswerEventBase {
  type: "message_started";
}

export interface MessageDeltaEvent extends AnswerEventBase {
  type: "message_delta";
  /** Counts from 0 within message and attempt; of the last piece, if pieces were merged. */
  chunk: number;
  text: string;
  /** Offset of the first event merged into this one. */
  from?: number;
  /** Chunk of the first piece merged into this one. */
  from_chunk?: number;
}

export interface MessageTextEvent extends AnswerEventBase {
  type: "message_text";
  /** The whole text so far; replaces what is held. */
  text: string;
  /** The next delta's number is one more. */
  chunk?: number;
}

export interface MessageCompletedEvent extends AnswerEventBase {
  type: "message_completed";
  text: string;
  sha256: string;
  status?: MessageStatus;
  citations?: Citation[];
}

export interface MessageResetEvent extends AnswerEventBase {
  type: "message_reset";
}

/** Known types that this client applies no state for; they move the cursor. */
export interface OtherEvent extends EventBase {
  type:
    | "message_edited"
    | "feedback_saved"
    | "tool_started"
    | "tool_output"
    | "tool_completed"
    | "tool_failed"
    | "question_asked"
    | "question_answered";
  run_id?: string;
  attempt?: number;
}

export type RunEvent =
  | RunQueuedEvent
  | RunStartedEvent
  | RunResumedEvent
  | RunWaitingEvent
  | RunCompletedEvent
  | RunFailedEvent
  | RunCancelledEvent
  | MemoryLoadedEvent
  | PlanningStartedEvent
  | PlanReadyEvent
  | TeamStartedEvent
  | TeamProgressEvent
  | TeamCompletedEvent
  | TeamFailedEvent
  | AggregatingEvent
  | RespondingEvent
  | MemorySavedEvent
  | MemorySaveFailedEvent
  | CustomEvent;

export type AnswerEvent =
  | MessageStartedEvent
  | MessageDeltaEvent
  | MessageTextEvent
  | MessageCompletedEvent
  | MessageResetEvent;

/** Everything numbered in a chat's log. */
export type ChatEvent = UserMessageEvent | TitleChangedEvent | RunEvent | AnswerEvent | OtherEvent;
