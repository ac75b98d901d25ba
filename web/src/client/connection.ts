/** Keeps one socket open to a session: hello, heartbeats, silence, close codes, coming back. */
import { backoffMs } from "./backoff";
import {
  actionFor,
  CREDENTIALS_AGED,
  nameOf,
  NO_CONTINUITY,
  reasonFields,
  UNAUTHENTICATED,
} from "./close-codes";
import type { Environment, SocketLike } from "./environment";
import { type ClientFrame, parseFrame, PROTOCOL, type ServerFrame } from "./protocol";

const WELCOME_MS = 10_000; // from dialling to `welcome`
const SILENCE_MS = 35_000; // the server pings every 25 s ± 10 %
const PROBE_MS = 4_000; // an answer to our own ping
const STABLE_MS = 5_000; // only a connection that lived this long counts as a success
const NOW_JITTER_MS = 1_000; // "come back now", yet not all in one instant
const LOST = 1006; // no close frame came

export type Status =
  | { readonly kind: "idle" }
  | { readonly kind: "starting" }
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** `retryAt` is in the environment's milliseconds. */
  | { readonly kind: "waiting"; readonly retryAt: number; readonly code: number }
  /** Over until a person or a new session says otherwise. `code` is 0 if HTTP refused. */
  | { readonly kind: "ended"; readonly code: number; readonly name: string };

export interface ConnectionHooks {
  url(): string;
  hello(ticket: string | null): ClientFrame;
  ticket(): Promise<string>;
  onFrame(frame: ServerFrame): void;
  onStatus(status: Status): void;
  /** The server cannot prove continuity: the next hello must come without `after`. */
  onForget(): void;
}

export class Connection {
  readonly #environment: Environment;
  readonly #hooks: ConnectionHooks;
  #socket: SocketLike | null = null;
  #status: Status = { kind: "idle" };
  #failures = 0;
  #lastFrameAt = 0;
  #silenceMs = SILENCE_MS;
  #needsTicket = false;
  #triedTicket = false;
  #dialling = 0;
  readonly #timers = new Map<"retry" | "welcome" | "silence" | "stable" | "probe", unknown>();

  constructor(environment: Environment, hooks: ConnectionHooks) {
    this.#environment = environment;
    this.#hooks = hooks;
  }

  get status(): Status {
    return this.#status;
  }

  /** Connect now. Harmless if a connection is open or opening. */
  open(): void {
    if (this.#status.kind === "live" || this.#status.kind === "connecting") return;
    this.#dial();
  }

  /** Close for good, without a word to anybody. */
  close(): void {
    this.#hangUp();
    this.#failures = 0;
    this.#needsTicket = false;
    this.#triedTicket = false;
    this.#become({ kind: "idle" });
  }

  /** Send one frame. Returns false if nothing is open to take it. */
  send(frame: ClientFrame): boolean {
    if (this.#socket === null || this.#status.kind !== "live") return false;
    return this.#write(frame);
  }

  /** Something was missed: come back, and fetch it with `after` or, if forgotten, a snapshot. */
  resync(): void {
    this.#comeBack(
      LOST,
      backoffMs(this.#failures, () => this.#environment.random()),
    );
  }

  /** The page became visible, or the network changed: find out now whether anybody is there. */
  probe(): void {
    if (this.#status.kind === "waiting") {
      this.#dial();
      return;
    }
    if (this.#socket === null || this.#status.kind !== "live") return;
    if (this.#silence() >= this.#silenceMs) {
      this.#comeBack(LOST, 0);
      return;
    }
    const askedAt = this.#environment.now();
    this.#write({ type: "ping" });
    this.#arm("probe", PROBE_MS, () => {
      if (this.#lastFrameAt < askedAt) this.#comeBack(LOST, 0);
    });
  }

  #dial(): void {
    this.#hangUp();
    this.#become({ kind: "connecting" });
    if (!this.#needsTicket) {
      this.#openSocket(null);
      return;
    }
    const dialling = (this.#dialling += 1);
    this.#hooks.ticket().then(
      (ticket) => {
        if (dialling === this.#dialling) this.#openSocket(ticket);
      },
      (error: unknown) => {
        if (dialling !== this.#dialling) return;
        const isTemporary = (error as { isTemporary?: boolean }).isTemporary === true;
        if (isTemporary) this.resync();
        else this.#end(UNAUTHENTICATED);
      },
    );
  }

  #openSocket(ticket: string | null): void {
    let socket: SocketLike;
    try {
      socket = new this.#environment.WebSocket(this.#hooks.url(), PROTOCOL);
    } catch {
      this.resync();
      return;
    }
    this.#socket = socket;
    this.#lastFrameAt = this.#environment.now();
    this.#arm("welcome", WELCOME_MS, () => this.#closed(LOST, ""));
    socket.onopen = () => this.#write(this.#hooks.hello(ticket));
    socket.onmessage = (event) => this.#read(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  #read(data: unknown): void {
    this.#lastFrameAt = this.#environment.now();
    const frame = parseFrame(data);
    if (frame === null) return;
    if (frame.type === "ping") {
      this.#write({ type: "pong" });
      return;
    }
    if (frame.type === "welcome") {
      this.#disarm("welcome");
      this.#needsTicket = false;
      // At the default heartbeat of 25 s this is 35 s.
      this.#silenceMs = Math.max(SILENCE_MS, (frame.heartbeat_ms ?? 0) * 1.4);
      this.#watch();
    }
    const socket = this.#socket;
    this.#hooks.onFrame(frame);
    // The hook may have dropped this socket.
    if (frame.type === "live" && socket === this.#socket) this.#wentLive();
  }

  #wentLive(): void {
    this.#triedTicket = false;
    this.#arm("stable", STABLE_MS, () => {
      this.#failures = 0;
    });
    this.#become({ kind: "live" });
  }

  #closed(code: number, reason: string): void {
    this.#hangUp();
    if (code === UNAUTHENTICATED && !this.#triedTicket) {
      this.#triedTicket = true;
      this.#needsTicket = true;
      this.resync();
      return;
    }
    const action = actionFor(code);
    if (action === "stop") {
      this.#end(code);
      return;
    }
    if (code === CREDENTIALS_AGED) this.#needsTicket = true;
    if (code === NO_CONTINUITY) this.#hooks.onForget();
    this.#comeBack(code, this.#waitAfter(action, reason));
  }

  #waitAfter(action: "backoff" | "now", reason: string): number {
    const random = (): number => this.#environment.random();
    const given = reasonFields(reason);
    const wait = backoffMs(this.#failures, random);
    if (action === "backoff") return wait + (given.retry_after_ms ?? 0);
    const spread = random() * (given.delay_ms ?? NOW_JITTER_MS);
    // A server that keeps sending us away is treated like one that fails.
    return this.#failures < 3 ? spread : Math.max(spread, wait);
  }

  #comeBack(code: number, delayMs: number): void {
    this.#hangUp();
    this.#failures += 1;
    if (delayMs === 0) {
      this.#dial();
      return;
    }
    this.#become({ kind: "waiting", retryAt: this.#environment.now() + delayMs, code });
    this.#arm("retry", delayMs, () => this.#dial());
  }

  #end(code: number): void {
    this.#hangUp();
    this.#failures = 0;
    this.#become({ kind: "ended", code, name: nameOf(code) });
  }

  /** Drop the socket without waiting for it: on a dead network its close takes minutes. */
  #hangUp(): void {
    this.#dialling += 1;
    for (const name of [...this.#timers.keys()]) this.#disarm(name);
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = null;
    try {
      socket.close(1000);
    } catch {
      // It never opened.
    }
  }

  #watch(): void {
    const rest = this.#silenceMs - this.#silence();
    this.#arm("silence", Math.max(rest, 1), () => {
      if (this.#silence() >= this.#silenceMs) this.#comeBack(LOST, 0);
      else this.#watch();
    });
  }

  #silence(): number {
    return this.#environment.now() - this.#lastFrameAt;
  }

  #write(frame: ClientFrame): boolean {
    try {
      this.#socket?.send(JSON.stringify(frame));
      return this.#socket !== null;
    } catch {
      return false; // closing; the close event follows
    }
  }

  #become(status: Status): void {
    if (status.kind === "idle" && this.#status.kind === "idle") return;
    this.#status = status;
    this.#hooks.onStatus(status);
  }

  #arm(
    name: "retry" | "welcome" | "silence" | "stable" | "probe",
    delayMs: number,
    run: () => void,
  ): void {
    this.#disarm(name);
    const timer = this.#environment.setTimeout(() => {
      this.#timers.delete(name);
      run();
    }, delayMs);
    this.#timers.set(name, timer);
  }

  #disarm(name: "retry" | "welcome" | "silence" | "stable" | "probe"): void {
    const timer = this.#timers.get(name);
    if (timer !== undefined) this.#environment.clearTimeout(timer);
    this.#timers.delete(name);
  }
}
