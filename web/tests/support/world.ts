/** A world under the test's control: clock, sockets, HTTP, storage. */
import {
  type Environment,
  type FetchLike,
  MemoryStorage,
  type SocketLike,
} from "../../src/client/environment";

export class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  isHungUp = false;

  constructor(
    readonly url: string,
    readonly protocols?: string | string[],
  ) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }

  close(): void {
    this.isHungUp = true;
  }

  /** The server accepts. */
  open(): void {
    this.onopen?.(undefined as never);
  }

  /** The server sends frames. */
  say(...frames: object[]): void {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The server, or the network, ends it. */
  end(code: number, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  sentOf(type: string): Record<string, unknown>[] {
    return this.sent.filter((frame) => frame["type"] === type);
  }
}

interface Timer {
  at: number;
  run: () => void;
}

export interface Answer {
  status: number;
  body: unknown;
}

export class World {
  time = 1_000_000;
  randomValue = 0.5;
  readonly sockets: FakeSocket[] = [];
  readonly requests: {
    method: string;
    url: string;
    body: unknown;
    headers: Record<string, string>;
  }[] = [];
  /** Decides each HTTP answer; throwing is a network that does not answer. */
  answer: (method: string, url: string, body: unknown) => Answer = () => ({
    status: 500,
    body: null,
  });
  readonly storage = new MemoryStorage();
  readonly environment: Environment;
  #timers = new Map<number, Timer>();
  #nextTimer = 1;
  #nextId = 1;

  constructor() {
    const { sockets } = this;
    const fetch: FetchLike = async (url, init) => {
      const body: unknown = init.body === undefined ? undefined : JSON.parse(init.body);
      this.requests.push({ method: init.method, url, body, headers: init.headers });
      const answer = this.answer(init.method, url, body);
      await Promise.resolve();
      return {
        ok: answer.status < 400,
        status: answer.status,
        json: () => Promise.resolve(answer.body),
      };
    };
    this.environment = {
      now: () => this.time,
      setTimeout: (run, delayMs) => {
        const id = this.#nextTimer++;
        this.#timers.set(id, { at: this.time + delayMs, run });
        return id;
      },
      clearTimeout: (timer) => this.#timers.delete(timer as number),
      random: () => this.randomValue,
      uuid: () => `id-${this.#nextId++}`,
      fetch,
      WebSocket: class extends FakeSocket {
        constructor(url: string, protocols?: string | string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      },
      storage: this.storage,
    };
  }

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }

  /** Let time pass, running what falls due on the way, in order. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end);
      const first = due.sort(([, a], [, b]) => a.at - b.at)[0];
      if (first === undefined) break;
      this.#timers.delete(first[0]);
      this.time = Math.max(this.time, first[1].at);
      first[1].run();
    }
    this.time = end;
  }

  /** Let promises that are ready run. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
}
