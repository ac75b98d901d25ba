/** Hands events to whoever iterates, each at its own pace. */
import type { ChatEvent } from "./protocol";

export class EventFeed {
  readonly #readers = new Set<Reader>();

  publish(event: ChatEvent): void {
    for (const reader of this.#readers) reader.push(event);
  }

  /** Events from now on. A reader that stops reading must `return`, or it keeps what it misses. */
  iterate(): AsyncIterableIterator<ChatEvent> {
    const reader = new Reader(() => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }
}

class Reader implements AsyncIterableIterator<ChatEvent> {
  readonly #waiting: ChatEvent[] = [];
  readonly #onReturn: () => void;
  #wake: ((result: IteratorResult<ChatEvent>) => void) | null = null;
  #isDone = false;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(event: ChatEvent): void {
    const wake = this.#wake;
    this.#wake = null;
    if (wake === null) this.#waiting.push(event);
    else wake({ value: event, done: false });
  }

  next(): Promise<IteratorResult<ChatEvent>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#isDone) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<ChatEvent>> {
    this.#isDone = true;
    this.#onReturn();
    this.#wake?.({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
