/** The HTTP side: start a session, list chats, fetch older messages. */
import type { Environment } from "./environment";
import type { MessagePage } from "./protocol";

export interface Session {
  session_id: string;
  chat_id: string;
  agent: string;
  user_id: number | null;
  created_at: string;
  expires_at: string;
  ttl_seconds: number;
  ws_path: string;
  /** Proof of the session outside browsers. A secret: it is kept in memory only. */
  token: string;
  protocol: string;
}

export interface StartRequest {
  chat_id?: string;
  agent?: string;
  metadata?: Record<string, unknown>;
}

export interface Conversation {
  chat_id: string;
  session_id?: string | null;
  title: string | null;
  created_at: string;
  updated_at: string;
  last_message: string | null;
  message_count: number;
}

/** The server's one error shape, or a network that does not answer (`unreachable`). */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** HTTP status; 0 if there was no answer. */
    readonly status: number,
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Trying again later may help. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface ApiOptions {
  /** Where the server is, without a slash at the end; empty for the page's own server. */
  baseUrl: string;
  /** In a browser the visitor cookie speaks for the caller; elsewhere the session's token does. */
  credential: "cookie" | "token";
}

export class Api {
  readonly #environment: Environment;
  readonly #options: ApiOptions;
  /** Set by whoever holds a session and has no cookie. */
  token: string | null = null;

  constructor(environment: Environment, options: ApiOptions) {
    this.#environment = environment;
    this.#options = options;
  }

  /** Start a session. The same `idempotencyKey` gives the same session, so a retry is harmless. */
  async start(request: StartRequest, idempotencyKey: string): Promise<Session> {
    return (await this.#call("POST", "/chat/start", request, {
      "Idempotency-Key": idempotencyKey,
    })) as Session;
  }

  /** Return a single-use ticket for the next handshake. */
  async ticket(sessionId: string): Promise<string> {
    const path = `/chat/sessions/${encodeURIComponent(sessionId)}/ticket`;
    const answer = (await this.#call("POST", path, {})) as { ticket: string };
    return answer.ticket;
  }

  /** Ask for a longer life; returns when the session now ends, RFC 3339. */
  async extend(sessionId: string): Promise<string | null> {
    const path = `/chat/sessions/${encodeURIComponent(sessionId)}/extend`;
    const answer = (await this.#call("POST", path, {})) as { expires_at?: string } | null;
    return answer?.expires_at ?? null;
  }

  /** One page of this visitor's chats, newest first. */
  async conversations(
    cursor: string | null,
    limit: number,
  ): Promise<{ conversations: Conversation[]; next: string | null }> {
    const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/chat/conversations?limit=${limit}${after}`;
    return (await this.#call("GET", path)) as {
      conversations: Conversation[];
      next: string | null;
    };
  }

  /** One page of messages: those before `next` of an earlier page, or the newest. */
  async messages(chatId: string, before: string | null, limit: number): Promise<MessagePage> {
    const older = before === null ? "" : `before=${encodeURIComponent(before)}&`;
    const path = `/chats/${encodeURIComponent(chatId)}/messages?${older}limit=${limit}`;
    return (await this.#call("GET", path)) as MessagePage;
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    extra: Record<string, string> = {},
  ): Promise<unknown> {
    const headers: Record<string, string> = { Accept: "application/json", ...extra };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.#options.credential === "token" && this.token !== null) {
      headers["Authorization"] = `Bearer ${this.token}`;
    }
    const init = {
      method,
      headers,
      credentials: this.#options.credential === "cookie" ? "include" : "omit",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    let response;
    try {
      response = await this.#environment.fetch(this.#options.baseUrl + path, init);
    } catch (error) {
      throw new ApiError("unreachable", String(error), 0);
    }
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) throw asError(answer, response.status);
    return answer;
  }
}

function asError(answer: unknown, status: number): ApiError {
  const given = (answer as { error?: Record<string, unknown> } | null)?.error ?? {};
  const code = typeof given["code"] === "string" ? given["code"] : `http_${status}`;
  const message = typeof given["message"] === "string" ? given["message"] : "";
  const wait = given["retry_after_ms"];
  return new ApiError(code, message, status, typeof wait === "number" ? wait : null);
}
