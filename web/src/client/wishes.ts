/** Which runs were asked to stop. A wish outlives the connection it was made on. */
import type { Environment } from "./environment";
import type { ClientFrame, ErrorFrame } from "./protocol";

export class Wishes {
  readonly #environment: Environment;
  readonly #send: (frame: ClientFrame) => boolean;
  /** From run to the frame that carries the wish. */
  #frames: ReadonlyMap<string, string> = new Map();
  #runs: readonly string[] = [];

  constructor(environment: Environment, send: (frame: ClientFrame) => boolean) {
    this.#environment = environment;
    this.#send = send;
  }

  get runs(): readonly string[] {
    return this.#runs;
  }

  stop(runId: string): void {
    const id = `s-${this.#environment.uuid()}`;
    this.#become(new Map(this.#frames).set(runId, id));
    this.#send({ type: "cancel", id, run_id: runId });
  }

  /** Say again, on a new connection, what is still wished. */
  repeat(isOpen: (runId: string) => boolean): void {
    for (const runId of this.#runs) if (isOpen(runId)) this.stop(runId);
  }

  /** Drop the wishes that came true. */
  forget(isDone: (runId: string) => boolean): void {
    if (!this.#runs.some(isDone)) return;
    this.#become(new Map([...this.#frames].filter(([runId]) => !isDone(runId))));
  }

  /** The server refused: the run is over, or not ours. */
  onError(frame: ErrorFrame): void {
    const refused = [...this.#frames].find(([, id]) => id === frame.id);
    if (refused !== undefined) this.forget((runId) => runId === refused[0]);
  }

  #become(frames: ReadonlyMap<string, string>): void {
    this.#frames = frames;
    this.#runs = [...frames.keys()];
  }
}
