/** Sends what is in the outbox, one message at a time and in order, until each is stored. */
import { backoffMs } from "./backoff";
import type { Environment } from "./environment";
import type { Outbox } from "./outbox";
import type { AckFrame, ClientFrame, ErrorFrame } from "./protocol";

const ACK_MS = 20_000; // after this the same message is sent again

export class Sender {
  readonly #environment: Environment;
  readonly #send: (frame: ClientFrame) => boolean;
  readonly #onChange: () => void;
  #outbox: Outbox;
  #flight: { id: string; clientMessageId: string } | null = null;
  /** Acknowledged, but not seen in the chat yet. */
  readonly #accepted = new Set<string>();
  #failures = 0;
  #timer: unknown = null;

  constructor(
    environment: Environment,
    outbox: Outbox,
    send: (frame: ClientFrame) => boolean,
    onChange: () => void,
  ) {
    this.#environment = environment;
    this.#outbox = outbox;
    this.#send = send;
    this.#onChange = onChange;
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  /** Send from another chat's outbox from now on. */
  replace(outbox: Outbox): void {
    this.pause();
    this.#accepted.clear();
    this.#outbox = outbox;
  }

  /** Send the next message, if none is on its way. */
  pump(): void {
    if (this.#flight !== null || this.#timer !== null) return;
    const entry = this.#outbox.entries.find(
      (held) => held.refused === undefined && !this.#accepted.has(held.clientMessageId),
    );
    if (entry === undefined) return;
    const { clientMessageId, text } = entry;
    const id = `q-${this.#environment.uuid()}`;
    const frame: ClientFrame = {
      type: "query",
      id,
      query: text,
      client_message_id: clientMessageId,
    };
    if (!this.#send(frame)) return;
    this.#flight = { id, clientMessageId };
    this.#wait(ACK_MS);
  }

  /** The connection is gone: what was on its way is sent again when there is a new one. */
  pause(): void {
    this.#flight = null;
    this.#failures = 0;
    this.#stopWaiting();
  }

  /** Returns whether the reply was to one of ours. */
  onAck(frame: AckFrame): boolean {
    const flight = this.#flight;
    if (flight?.id !== frame.id) return false;
    this.#landed();
    // A duplicate was stored before, so it is in the chat that we hold or have just been given.
    if (frame.duplicate === true) this.#outbox.remove(flight.clientMessageId);
    else if (this.#holds(flight.clientMessageId)) this.#accepted.add(flight.clientMessageId);
    this.#failures = 0;
    this.#onChange();
    this.pump();
    return true;
  }

  /** Returns whether the reply was to one of ours. */
  onError(frame: ErrorFrame): boolean {
    const flight = this.#flight;
    if (flight === null || flight.id !== frame.id) return false;
    this.#landed();
    if (frame.temporary === true) {
      const jitter = backoffMs(this.#failures, () => this.#environment.random());
      this.#wait(jitter + (frame.retry_after_ms ?? 0));
      this.#failures += 1;
      return true;
    }
    this.#outbox.refuse(flight.clientMessageId, { code: frame.code, message: frame.message });
    this.#onChange();
    this.pump();
    return true;
  }

  /** The message stands in the chat. */
  onStored(clientMessageId: string): void {
    this.#accepted.delete(clientMessageId);
    this.#outbox.remove(clientMessageId);
  }

  /** A snapshot was taken: whatever was acknowledged is in it, or on an older page. */
  onSnapshot(): void {
    for (const clientMessageId of [...this.#accepted]) this.onStored(clientMessageId);
  }

  #holds(clientMessageId: string): boolean {
    return this.#outbox.entries.some((entry) => entry.clientMessageId === clientMessageId);
  }

  #landed(): void {
    this.#flight = null;
    this.#stopWaiting();
  }

  #wait(delayMs: number): void {
    this.#stopWaiting();
    this.#timer = this.#environment.setTimeout(() => {
      this.#timer = null;
      this.#flight = null;
      this.pump();
    }, delayMs);
  }

  #stopWaiting(): void {
    if (this.#timer !== null) this.#environment.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
