/** Which session belongs to which chat, and which chat was open last. Survives a reload. */
import type { KnownSession } from "./view";
import type { StorageLike } from "./environment";

const SESSIONS = "colloquy:sessions";
const LAST = "colloquy:last-chat";
const MOST = 50; // chats; older ones get a new session when they are opened

/** A storage that is denied or full is one that remembers nothing. */
export class Remembered {
  readonly #storage: StorageLike;

  constructor(storage: StorageLike) {
    this.#storage = storage;
  }

  get lastChat(): string | null {
    return this.#attempt(() => this.#storage.getItem(LAST)) ?? null;
  }

  /** Return the session of a chat, if one is remembered and not known to be over. */
  session(chatId: string, now: number): KnownSession | null {
    const held = this.#sessions().find((session) => session.chat_id === chatId);
    if (held === undefined) return null;
    const end = held.expires_at === undefined ? NaN : Date.parse(held.expires_at);
    // Activity moves the end, so it is only a hint; half an hour past it nothing is left.
    return end + 1_800_000 < now ? null : held;
  }

  keep(session: KnownSession): void {
    const { session_id, chat_id, ws_path, expires_at } = session;
    const slim: KnownSession = {
      session_id,
      chat_id,
      ...(ws_path === undefined ? {} : { ws_path }),
      ...(expires_at === undefined ? {} : { expires_at }),
    };
    const others = this.#sessions().filter((held) => held.chat_id !== chat_id);
    this.#attempt(() => {
      this.#storage.setItem(SESSIONS, JSON.stringify([slim, ...others].slice(0, MOST)));
      this.#storage.setItem(LAST, chat_id);
    });
  }

  draft(chatId: string): string {
    return this.#attempt(() => this.#storage.getItem(`colloquy:draft:${chatId}`)) ?? "";
  }

  keepDraft(chatId: string, text: string): void {
    const key = `colloquy:draft:${chatId}`;
    this.#attempt(() => {
      if (text === "") this.#storage.removeItem(key);
      else this.#storage.setItem(key, text);
    });
  }

  #sessions(): KnownSession[] {
    const text = this.#attempt(() => this.#storage.getItem(SESSIONS)) ?? "[]";
    try {
      const value: unknown = JSON.parse(text);
      return Array.isArray(value) ? value.filter(isSession) : [];
    } catch {
      return [];
    }
  }

  #attempt<T>(use: () => T): T | null {
    try {
      return use();
    } catch {
      return null;
    }
  }
}

function isSession(value: unknown): value is KnownSession {
  const given = value as Partial<KnownSession> | null;
  return typeof given?.session_id === "string" && typeof given.chat_id === "string";
}
