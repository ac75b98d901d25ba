/** Starts a session over HTTP, again and again while the server is away. */
import { type Api, ApiError, type Session, type StartRequest } from "./api";
import { backoffMs } from "./backoff";
import type { Status } from "./connection";
import type { Environment } from "./environment";

export class Starter {
  readonly #environment: Environment;
  readonly #api: Api;
  readonly #onStatus: (status: Status) => void;
  /** Counts the starts, so that one that was overtaken notices. */
  #turn = 0;
  #timer: unknown = null;
  #goOn: () => void = () => undefined;

  constructor(environment: Environment, api: Api, onStatus: (status: Status) => void) {
    this.#environment = environment;
    this.#api = api;
    this.#onStatus = onStatus;
  }

  /**
   * Return a new session. Every try has the same key, so the server makes one session only.
   *
   * @throws ApiError if the server refuses, or `superseded` if `stop` was called meanwhile.
   */
  async start(request: StartRequest): Promise<Session> {
    this.#turn += 1;
    const turn = this.#turn;
    const key = this.#environment.uuid();
    for (let failures = 0; ; failures += 1) {
      this.#onStatus({ kind: "starting" });
      const answer = await this.#try(request, key);
      if (turn !== this.#turn) throw new ApiError("superseded", "", 0);
      if (!(answer instanceof ApiError)) return answer;
      if (!answer.isTemporary) {
        this.#onStatus({ kind: "ended", code: 0, name: answer.code });
        throw answer;
      }
      await this.#pause(failures, answer);
      if (turn !== this.#turn) throw answer;
    }
  }

  /** Try now instead of later. Returns false if nothing waits. */
  hurry(): boolean {
    if (this.#timer === null) return false;
    this.#environment.clearTimeout(this.#timer);
    this.#timer = null;
    this.#goOn();
    return true;
  }

  stop(): void {
    this.#turn += 1;
    this.hurry();
  }

  async #try(request: StartRequest, key: string): Promise<Session | ApiError> {
    try {
      return await this.#api.start(request, key);
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  async #pause(failures: number, error: ApiError): Promise<void> {
    const jitter = backoffMs(failures, () => this.#environment.random());
    const delayMs = jitter + (error.retryAfterMs ?? 0);
    this.#onStatus({ kind: "waiting", retryAt: this.#environment.now() + delayMs, code: 0 });
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
      this.#timer = this.#environment.setTimeout(() => this.hurry(), delayMs);
    });
  }
}
