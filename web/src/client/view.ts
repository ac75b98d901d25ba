/** What a client shows of itself, and what it is made from. */
import type { Status } from "./connection";
import type { Environment } from "./environment";
import type { OutboxEntry } from "./outbox";
import type { WelcomeFrame } from "./protocol";
import { type Chat, EMPTY } from "./state";

/** What is needed to come back to a session; no secret of the API. */
export interface KnownSession {
  session_id: string;
  chat_id: string;
  ws_path?: string;
  expires_at?: string;
}

/** Everything a page shows. A new object at each change, never changed in place. */
export interface View {
  readonly chat: Chat;
  readonly status: Status;
  readonly session: KnownSession | null;
  readonly expiresAt: string | null;
  /** The server warned that the session ends at this time, in the environment's milliseconds. */
  readonly endsAt: number | null;
  /** Messages that are not in the chat yet, oldest first. */
  readonly unsent: readonly OutboxEntry[];
  /** Runs that were asked to stop and have not stopped yet. */
  readonly stopping: readonly string[];
  readonly limits: WelcomeFrame["limits"];
}

export interface ClientOptions {
  /** Where the server is, without a slash at the end; default: the page's own server. */
  baseUrl?: string;
  /** Names the program to the server. */
  client?: string;
  credential?: "cookie" | "token";
  environment?: Environment;
}

export const FIRST_VIEW: View = {
  chat: EMPTY,
  status: { kind: "idle" },
  session: null,
  expiresAt: null,
  endsAt: null,
  unsent: [],
  stopping: [],
  limits: {},
};
