/** Messages that are not known to be stored by the server. They survive a reload. */
import type { StorageLike } from "./environment";

export interface OutboxEntry {
  /** Chosen by the client; makes sending again harmless. */
  readonly clientMessageId: string;
  readonly text: string;
  /** When it was written, in milliseconds; entries are sent in this order. */
  readonly at: number;
  /** The server refused it for good, and why. */
  readonly refused?: { code: string; message: string };
}

/**
 * The unsent messages of one chat. Each has a storage key of its own, so that tabs which write
 * at the same time do not overwrite each other. A denied or full storage costs only the reload.
 */
export class Outbox {
  readonly #storage: StorageLike;
  readonly #prefix: string;
  #entries: readonly OutboxEntry[];

  constructor(storage: StorageLike, chatId: string) {
    this.#storage = storage;
    this.#prefix = `colloquy:outbox:${chatId}:`;
    this.#entries = this.#read();
  }

  /** Oldest first. */
  get entries(): readonly OutboxEntry[] {
    return this.#entries;
  }

  add(clientMessageId: string, text: string, at: number): OutboxEntry {
    // Two messages of one millisecond still have an order.
    const last = this.#entries.at(-1)?.at ?? 0;
    const entry: OutboxEntry = { clientMessageId, text, at: Math.max(at, last + 1) };
    this.#put(entry);
    return entry;
  }

  refuse(clientMessageId: string, refused: { code: string; message: string }): void {
    const entry = this.#find(clientMessageId);
    if (entry !== undefined) this.#put({ ...entry, refused });
  }

  /** Let a refused message be sent once more. */
  retry(clientMessageId: string): void {
    const entry = this.#find(clientMessageId);
    if (entry === undefined) return;
    const { clientMessageId: id, text, at } = entry;
    this.#put({ clientMessageId: id, text, at });
  }

  remove(clientMessageId: string): void {
    if (this.#find(clientMessageId) === undefined) return;
    this.#entries = this.#entries.filter((entry) => entry.clientMessageId !== clientMessageId);
    this.#attempt(() => this.#storage.removeItem(this.#prefix + clientMessageId));
  }

  /** Hand every message over to another chat's outbox. */
  moveTo(other: Outbox): void {
    for (const { clientMessageId, text, at } of this.#entries) {
      other.add(clientMessageId, text, at);
      this.remove(clientMessageId);
    }
  }

  #find(clientMessageId: string): OutboxEntry | undefined {
    return this.#entries.find((entry) => entry.clientMessageId === clientMessageId);
  }

  #put(entry: OutboxEntry): void {
    const others = this.#entries.filter((held) => held.clientMessageId !== entry.clientMessageId);
    this.#entries = [...others, entry].sort((a, b) => a.at - b.at);
    this.#attempt(() =>
      this.#storage.setItem(this.#prefix + entry.clientMessageId, JSON.stringify(entry)),
    );
  }

  #read(): readonly OutboxEntry[] {
    const entries: OutboxEntry[] = [];
    this.#attempt(() => {
      for (let index = 0; index < this.#storage.length; index += 1) {
        const key = this.#storage.key(index);
        if (key?.startsWith(this.#prefix) !== true) continue;
        const entry = parse(this.#storage.getItem(key));
        if (entry !== null) entries.push(entry);
      }
    });
    return entries.sort((a, b) => a.at - b.at);
  }

  #attempt(use: () => void): void {
    try {
      use();
    } catch {
      // The message stays in memory and is still sent.
    }
  }
}

function parse(text: string | null): OutboxEntry | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<OutboxEntry> | null;
    if (typeof value?.clientMessageId !== "string" || typeof value.text !== "string") return null;
    return { ...value, at: value.at ?? 0 } as OutboxEntry;
  } catch {
    return null;
  }
}
