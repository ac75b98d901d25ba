/** What the client needs from the world around it. Everything is a parameter, so tests decide. */

export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols?: string | string[]) => SocketLike;

export interface ResponseLike {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<unknown>;
}

export type FetchLike = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; credentials: string },
) => Promise<ResponseLike>;

/** The part of the Web Storage interface that is used. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Environment {
  /** Milliseconds. It must go on while the machine sleeps: it measures silence. */
  now(): number;
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** From 0 up to, not including, 1. */
  random(): number;
  uuid(): string;
  fetch: FetchLike;
  WebSocket: SocketConstructor;
  storage: StorageLike;
}

interface Globals {
  setTimeout(run: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  crypto: {
    randomUUID?: () => string;
    getRandomValues(bytes: Uint8Array): Uint8Array;
  };
  fetch: FetchLike;
  WebSocket: SocketConstructor;
  localStorage?: StorageLike;
  location?: { origin: string };
}

/** Return the environment of a browser, or of Node 22 and later. Storage may be denied or full. */
export function platform(): Environment {
  const globals = globalThis as unknown as Globals;
  return {
    now: () => Date.now(),
    setTimeout: (run, delayMs) => globals.setTimeout(run, delayMs),
    clearTimeout: (timer) => globals.clearTimeout(timer),
    random: () => Math.random(),
    uuid: () => uuid(globals),
    fetch: (url, init) => globals.fetch(url, init),
    WebSocket: globals.WebSocket,
    storage: usableStorage(globals),
  };
}

/** Where the page came from; empty outside browsers. */
export function pageOrigin(): string {
  return (globalThis as unknown as Partial<Globals>).location?.origin ?? "";
}

/** A storage that forgets at the end of the page. */
export class MemoryStorage implements StorageLike {
  readonly #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

function usableStorage(globals: Globals): StorageLike {
  try {
    const storage = globals.localStorage;
    if (storage === undefined) return new MemoryStorage();
    const probe = "colloquy:probe";
    storage.setItem(probe, "1");
    storage.removeItem(probe);
    return storage;
  } catch {
    return new MemoryStorage(); // private mode, a full disk, or blocked by the person
  }
}

function uuid(globals: Globals): string {
  // Browsers offer randomUUID in secure contexts only; a page on a LAN address is none.
  if (globals.crypto.randomUUID !== undefined) return globals.crypto.randomUUID();
  const bytes = globals.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
}
