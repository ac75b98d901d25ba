/** The wire `colloquy.v1`: what the server sends and what a client may send. */
import type { ChatEvent, Citation, MessageStatus, RunEvent } from "./events";

export type * from "./events";

export const PROTOCOL = "colloquy.v1";

/** Where a chat stands: the last event applied, and the numbering it belongs to. */
export interface Cursor {
  epoch: string;
  /** 0 before the first event. */
  offset: number;
  /** Tells two events apart that got the same number; null before the first. */
  key: string | null;
}

/** A stored message, as in the snapshot and in pages of older messages. */
export interface StoredMessage {
  message_id: string;
  role: "user" | "assistant";
  text: string;
  status?: MessageStatus;
  run_id?: string | null;
  client_message_id?: string | null;
  citations?: Citation[] | null;
  created_at?: string;
}

/** Messages, oldest first. */
export interface MessagePage {
  messages: StoredMessage[];
  /** Where the page of older ones begins; null if there are none. */
  next: string | null;
}

export interface SnapshotEnd {
  run_id: string;
  status: "failed" | "cancelled";
  /** Of a failed one. */
  code: string | null;
}

export interface SnapshotRun {
  run_id: string;
  /** The message being answered. */
  message_id: string;
  status: "queued" | "running" | "waiting";
  attempt: number;
  events: RunEvent[];
  partial: { message_id: string; text: string; chunk?: number } | null;
}

export interface SnapshotFrame {
  type: "snapshot";
  epoch: string;
  offset: number;
  key: string | null;
  chat: { chat_id: string; title: string | null };
  session?: { session_id: string; expires_at: string; status: string };
  /** The latest page, oldest first. */
  messages: StoredMessage[];
  has_more: boolean;
  /** Where the page of older messages begins. */
  next?: string | null;
  /** Runs of these messages that did not complete. */
  ended?: SnapshotEnd[];
  /** Runs that have not ended. */
  runs: SnapshotRun[];
}

export interface WelcomeFrame {
  type: "welcome";
  connection_id: string;
  session_id: string;
  chat_id: string;
  agent?: string;
  user_id: number | null;
  node?: string;
  epoch: string;
  offset: number;
  resumed: boolean;
  /** Why the client could not continue where it was. */
  reason?: "epoch" | "trimmed" | "ahead" | "rewound" | "too_far" | "first";
  replay?: number;
  heartbeat_ms?: number;
  limits?: { text_chars?: number; [name: string]: unknown };
  expires_at?: string;
  previous_close?: { code: number } | null;
}

export interface AckFrame {
  type: "ack";
  id: string;
  message_id?: string;
  run_id?: string;
  duplicate?: boolean;
}

export interface ErrorFrame {
  type: "error";
  id?: string | null;
  code: string;
  message: string;
  temporary?: boolean;
  retry_after_ms?: number;
}

export type ControlFrame =
  | WelcomeFrame
  | SnapshotFrame
  | { type: "live"; offset: number }
  | AckFrame
  | ErrorFrame
  | { type: "ping" }
  | { type: "pong"; id?: string }
  | { type: "goaway"; delay_ms?: number }
  | { type: "presence"; [name: string]: unknown }
  | { type: "session_expiring"; expires_at?: string; seconds?: number }
  | { type: "session_extended"; expires_at?: string }
  | { type: "session_ended"; reason?: string };

export type ServerFrame = ControlFrame | ChatEvent;

export type ClientFrame =
  | { type: "hello"; client: string; tab: string; ticket?: string; after?: Cursor }
  | {
      type: "query";
      id: string;
      query: string;
      client_message_id: string;
      on_busy?: "queue" | "reject" | "replace";
    }
  | { type: "cancel"; id: string; run_id?: string }
  | { type: "auth"; id: string; ticket: string }
  | { type: "answer"; id: string; question_id: string; value: unknown }
  | { type: "pong" }
  | { type: "ping"; id?: string };

const CONTROL = new Set<string>([
  "welcome",
  "snapshot",
  "live",
  "ack",
  "error",
  "ping",
  "pong",
  "goaway",
  "presence",
  "session_expiring",
  "session_extended",
  "session_ended",
]);

/** Parse one text frame. Returns null for anything that is not a frame: newer servers may send it. */
export function parseFrame(text: unknown): ServerFrame | null {
  if (typeof text !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const frame = value as { type?: unknown; offset?: unknown };
  if (typeof frame.type !== "string") return null;
  if (!CONTROL.has(frame.type) && !Number.isInteger(frame.offset)) return null;
  return value as ServerFrame;
}

/** Tell an event of the log from a control frame. */
export function isEvent(frame: ServerFrame): frame is ChatEvent {
  return !CONTROL.has(frame.type);
}
