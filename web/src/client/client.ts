/** One chat, live: start a session, connect, send, cancel; the state follows the event log. */
import { Api, ApiError, type Session, type StartRequest } from "./api";
import { apply, placeOf } from "./apply";
import { SESSION_NOT_FOUND } from "./close-codes";
import { Connection, type Status } from "./connection";
import { type Environment, pageOrigin, platform } from "./environment";
import { EventFeed } from "./feed";
import { Outbox } from "./outbox";
import { type ChatEvent, isEvent, type ServerFrame } from "./protocol";
import { Sender } from "./sender";
import { fromSnapshot, withOlder } from "./snapshot";
import { Starter } from "./starter";
import { activeRun, type Chat, EMPTY, hasEnded } from "./state";
import { type ClientOptions, FIRST_VIEW, type KnownSession, type View } from "./view";
import { Wishes } from "./wishes";

const PAGE = 50; // messages
const SESSION_ENDED = 4010;
const WARNING_SECONDS = 300; // how long before its end a session is warned

export class ColloquyClient {
  readonly api: Api;
  readonly #environment: Environment;
  readonly #baseUrl: string;
  readonly #name: string;
  /** Made anew at each page load: two tabs, or one tab twice, are never mistaken for each other. */
  readonly #tab: string;
  readonly #connection: Connection;
  readonly #sender: Sender;
  readonly #wishes: Wishes;
  readonly #starter: Starter;
  readonly #feed = new EventFeed();
  readonly #listeners = new Set<(view: View) => void>();
  #view: View = FIRST_VIEW;
  /** The state up to the cursor is held, so the server may be asked to go on from there. */
  #mayResume = false;
  /** The session comes from an earlier page and has not answered yet. */
  #isUnproven = false;

  constructor(options: ClientOptions = {}) {
    this.#environment = options.environment ?? platform();
    this.#baseUrl = options.baseUrl ?? pageOrigin();
    this.#name = options.client ?? "web/1.0";
    this.#tab = this.#environment.uuid();
    this.api = new Api(this.#environment, {
      baseUrl: this.#baseUrl,
      credential: options.credential ?? "cookie",
    });
    this.#connection = new Connection(this.#environment, {
      url: () => this.#socketUrl(),
      hello: (ticket) => this.#hello(ticket),
      ticket: () => this.api.ticket(this.#view.session?.session_id ?? ""),
      onFrame: (frame) => this.#onFrame(frame),
      onStatus: (status) => this.#onStatus(status),
      onForget: () => {
        this.#mayResume = false;
      },
    });
    const send = this.#connection.send.bind(this.#connection);
    this.#sender = new Sender(this.#environment, this.#outbox("unassigned"), send, () =>
      this.#changed(),
    );
    this.#wishes = new Wishes(this.#environment, send);
    this.#starter = new Starter(this.#environment, this.api, (status) => this.#onStatus(status));
  }

  get view(): View {
    return this.#view;
  }

  /** Be told of every change; returns how to stop that. */
  subscribe(listener: (view: View) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every event as it is applied, each once and in order, from now on. */
  events(): AsyncIterableIterator<ChatEvent> {
    return this.#feed.iterate();
  }

  /**
   * Start a session: on a new chat, or on `chat_id` if it is the caller's. Tries again while the
   * server is away.
   *
   * @throws ApiError if the server refuses.
   */
  async start(request: StartRequest = {}): Promise<Session> {
    this.close();
    const session = await this.#starter.start(request);
    this.api.token = session.token;
    this.use(session);
    this.#isUnproven = false;
    return session;
  }

  /** Take a session that was started earlier. Whether it still lives shows when connecting. */
  use(session: KnownSession): void {
    const isOtherChat = this.#view.chat.chatId !== session.chat_id;
    if (isOtherChat) this.#mayResume = false;
    this.#isUnproven = true;
    // What was written before there was any session goes to the first one.
    const early = this.#view.session === null ? this.#sender.outbox : null;
    this.#sender.replace(this.#outbox(session.chat_id));
    early?.moveTo(this.#sender.outbox);
    this.#set({
      session,
      chat: isOtherChat ? { ...EMPTY, chatId: session.chat_id } : this.#view.chat,
      expiresAt: session.expires_at ?? null,
      endsAt: null,
    });
    this.#changed();
  }

  /** Open the socket and keep it open until `close`. */
  connect(): void {
    if (this.#view.session !== null) this.#connection.open();
  }

  /**
   * Start again after the session ended: a new session on the same chat, or on a new one if the
   * chat is gone. Unsent messages come along.
   */
  async restart(): Promise<Session> {
    const { session } = this.#view;
    const waiting = this.#sender.outbox;
    let next: Session;
    try {
      next = await this.start(session === null ? {} : { chat_id: session.chat_id });
    } catch (error) {
      const isGone = error instanceof ApiError && error.code !== "superseded" && !error.isTemporary;
      if (session === null || !isGone) throw error;
      next = await this.start({});
    }
    if (next.chat_id !== session?.chat_id) waiting.moveTo(this.#sender.outbox);
    this.#changed();
    this.connect();
    return next;
  }

  /** Send a message, now or as soon as possible. Returns its client message id. */
  send(text: string): string {
    const clientMessageId = this.#environment.uuid();
    this.#sender.outbox.add(clientMessageId, text, this.#environment.now());
    this.#changed();
    const { status } = this.#view;
    const isOver =
      status.kind === "ended" && [SESSION_NOT_FOUND, SESSION_ENDED].includes(status.code);
    if (isOver) this.#restartQuietly();
    else this.#sender.pump();
    return clientMessageId;
  }

  /** Stop a run; default: the active one. Kept as a wish while there is no connection. */
  cancel(runId?: string): void {
    const id = runId ?? activeRun(this.#view.chat)?.id;
    if (id === undefined) return;
    this.#wishes.stop(id);
    this.#changed();
  }

  /** Send a refused message once more. */
  retry(clientMessageId: string): void {
    this.#sender.outbox.retry(clientMessageId);
    this.#changed();
    this.#sender.pump();
  }

  /** Give up a message that is not in the chat. */
  discard(clientMessageId: string): void {
    this.#sender.outbox.remove(clientMessageId);
    this.#changed();
  }

  /** Fetch one page of older messages. Does nothing if there are none. */
  async loadOlder(): Promise<void> {
    const { chatId } = this.#view.chat;
    // Where the snapshot's page begins is not always known: then the newest page says it.
    for (let request = 0; request < 2; request += 1) {
      const { hasMore, before, messages } = this.#view.chat;
      if (chatId === null || !hasMore || this.#view.chat.chatId !== chatId) return;
      const page = await this.api.messages(chatId, before, PAGE);
      if (this.#view.chat.chatId !== chatId) return;
      const chat = withOlder(this.#view.chat, page);
      this.#set({ chat });
      if (chat.messages.length > messages.length) return;
    }
  }

  /** Ask for a longer life of the session. */
  async extend(): Promise<void> {
    const { session } = this.#view;
    if (session === null) return;
    const expiresAt = await this.api.extend(session.session_id);
    this.#set({ endsAt: null, expiresAt: expiresAt ?? this.#view.expiresAt });
  }

  /** Find out now whether the connection lives: the page is visible again, the network is back. */
  probe(): void {
    if (!this.#starter.hurry()) this.#connection.probe();
  }

  /** Disconnect. The session lives on, and `connect` comes back to it. */
  close(): void {
    this.#starter.stop();
    this.#connection.close();
  }

  #onFrame(frame: ServerFrame): void {
    if (isEvent(frame)) {
      this.#onEvent(frame);
      return;
    }
    switch (frame.type) {
      case "welcome":
        this.#isUnproven = false;
        this.#set({
          limits: frame.limits ?? {},
          expiresAt: frame.expires_at ?? this.#view.expiresAt,
        });
        if (frame.resumed && frame.epoch !== this.#view.chat.cursor?.epoch) this.#startOver();
        break;
      case "snapshot": {
        const chat = fromSnapshot(this.#view.chat, frame);
        this.#mayResume = true;
        for (const message of chat.messages) this.#noteStored(message.clientMessageId);
        this.#sender.onSnapshot();
        this.#set({ chat });
        this.#changed();
        break;
      }
      case "ack":
        this.#sender.onAck(frame);
        break;
      case "error":
        if (this.#sender.onError(frame)) break;
        this.#wishes.onError(frame);
        this.#changed();
        break;
      case "session_expiring":
        this.#set({
          // Counted from now: the server's clock may differ from ours.
          endsAt: this.#environment.now() + (frame.seconds ?? WARNING_SECONDS) * 1000,
          expiresAt: frame.expires_at ?? this.#view.expiresAt,
        });
        break;
      case "session_extended":
        this.#set({ endsAt: null, expiresAt: frame.expires_at ?? this.#view.expiresAt });
        break;
      default:
        break; // its close, or a newer server's word
    }
  }

  #onEvent(event: ChatEvent): void {
    const before = this.#view.chat;
    const place = placeOf(before.cursor, event);
    if (place === "old") return;
    if (place === "gap") {
      this.#connection.resync();
      return;
    }
    const chat = apply(before, event);
    if (event.type === "user_message") this.#noteStored(event.client_message_id);
    this.#set({ chat });
    this.#feed.publish(event);
    if (chat.messages.some((message) => message.isTorn)) this.#startOver();
  }

  /** Events do not fit what is held: only a snapshot helps. */
  #startOver(): void {
    this.#mayResume = false;
    this.#connection.resync();
  }

  #noteStored(clientMessageId: string | null): void {
    if (clientMessageId !== null) this.#sender.onStored(clientMessageId);
  }

  #onStatus(status: Status): void {
    const { chat } = this.#view;
    if (status.kind !== "live") this.#sender.pause();
    this.#set({ status });
    if (status.kind === "live") {
      this.#wishes.repeat((runId) => chat.runs[runId] !== undefined && !hasEnded(chat.runs[runId]));
      this.#sender.pump();
      return;
    }
    const isStale = status.kind === "ended" && status.code === SESSION_NOT_FOUND;
    // Nobody was looking when it ended: a person who opens the page just wants to go on.
    if (isStale && this.#isUnproven) this.#restartQuietly();
  }

  #restartQuietly(): void {
    this.#isUnproven = false;
    this.restart().catch(() => {
      // The status says what went wrong.
    });
  }

  #hello(ticket: string | null): {
    type: "hello";
    client: string;
    tab: string;
    ticket?: string;
    after?: NonNullable<Chat["cursor"]>;
  } {
    const { cursor } = this.#view.chat;
    return {
      type: "hello",
      client: this.#name,
      tab: this.#tab,
      ...(ticket === null ? {} : { ticket }),
      ...(cursor === null || !this.#mayResume ? {} : { after: cursor }),
    };
  }

  #socketUrl(): string {
    const session = this.#view.session;
    const path = session?.ws_path ?? `/ws/${session?.session_id ?? ""}`;
    return this.#baseUrl.replace(/^http/, "ws") + path;
  }

  #outbox(chatId: string): Outbox {
    return new Outbox(this.#environment.storage, chatId);
  }

  #changed(): void {
    this.#set({});
  }

  #set(change: Partial<View>): void {
    const chat = change.chat ?? this.#view.chat;
    this.#wishes.forget((runId) => {
      const run = chat.runs[runId];
      return run !== undefined && hasEnded(run);
    });
    this.#view = {
      ...this.#view,
      ...change,
      unsent: this.#sender.outbox.entries,
      stopping: this.#wishes.runs,
    };
    for (const listener of this.#listeners) listener(this.#view);
  }
}
