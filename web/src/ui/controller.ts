/** What the page does: which chat is open, its draft, the list of chats, the address bar. */
import {
  ApiError,
  ColloquyClient,
  type Conversation,
  type Environment,
  type KnownSession,
  Remembered,
  type View,
} from "../client/index";

const PAGE = 30; // chats
const REFRESH_MS = 600; // a title and an end often come together

export interface ChatList {
  readonly items: readonly Conversation[];
  readonly next: string | null;
  readonly state: "loading" | "ready" | "failed";
}

export interface PageState {
  readonly view: View;
  readonly draft: string;
  readonly chats: ChatList;
  /** The chat was made just now, so it is known to be empty. */
  readonly isNew: boolean;
  /** The chat in the address does not exist, or is somebody else's. */
  readonly wasMissing: boolean;
  readonly isOnline: boolean;
}

/** The part of the address bar that is used. */
export interface Address {
  chat(): string | null;
  /** Show another chat in the address bar; `isStep` makes it a step to go back from. */
  show(chatId: string, isStep: boolean): void;
}

export class Controller {
  readonly #environment: Environment;
  readonly #address: Address;
  readonly #remembered: Remembered;
  readonly #onChange: () => void;
  #client: ColloquyClient;
  #unsubscribe: () => void = () => undefined;
  #state: PageState;
  #session: KnownSession | null = null;
  #refreshTimer: unknown = null;
  /** The chat that is being made gets its own entry in the browser's history. */
  #isStep = false;

  constructor(environment: Environment, address: Address, onChange: () => void) {
    this.#environment = environment;
    this.#address = address;
    this.#remembered = new Remembered(environment.storage);
    this.#onChange = onChange;
    this.#client = this.#newClient();
    this.#state = {
      view: this.#client.view,
      draft: "",
      chats: { items: [], next: null, state: "loading" },
      isNew: false,
      wasMissing: false,
      isOnline: true,
    };
  }

  get state(): PageState {
    return this.#state;
  }

  /** Open the chat in the address, else the last one, else a new one. */
  start(): void {
    const chatId = this.#address.chat() ?? this.#remembered.lastChat;
    if (chatId === null) this.newChat(false);
    else this.open(chatId, false);
  }

  /** Open a chat of this visitor. */
  open(chatId: string, isStep = true): void {
    if (this.#state.view.session?.chat_id === chatId) return;
    this.#replaceClient({ isNew: false, draft: this.#remembered.draft(chatId) });
    if (isStep) this.#address.show(chatId, true);
    const known = this.#remembered.session(chatId, this.#environment.now());
    if (known === null) {
      this.#begin(chatId);
      return;
    }
    this.#client.use(known);
    this.#client.connect();
    void this.refreshChats();
  }

  /** Begin a new chat. One that is still empty is as good as new. */
  newChat(isStep = true): void {
    const { view, isNew } = this.#state;
    if (isNew && view.chat.messages.length === 0 && view.unsent.length === 0) return;
    this.#replaceClient({ isNew: true, draft: "" });
    this.#isStep = isStep;
    this.#begin(null);
  }

  send(text: string): void {
    this.setDraft("");
    this.#client.send(text);
  }

  stop(runId?: string): void {
    this.#client.cancel(runId);
  }

  setDraft(draft: string): void {
    const { session } = this.#state.view;
    if (session !== null) this.#remembered.keepDraft(session.chat_id, draft);
    this.#set({ draft });
  }

  retryUnsent(clientMessageId: string): void {
    this.#client.retry(clientMessageId);
  }

  /** Take an unsent message back into the message field, before what is written there. */
  editUnsent(clientMessageId: string): void {
    const entry = this.#state.view.unsent.find((held) => held.clientMessageId === clientMessageId);
    if (entry === undefined) return;
    this.#client.discard(clientMessageId);
    const { draft } = this.#state;
    this.setDraft(draft === "" ? entry.text : `${entry.text}\n${draft}`);
  }

  discardUnsent(clientMessageId: string): void {
    this.#client.discard(clientMessageId);
  }

  /** A new session after the old one ended; the draft stays. */
  async restart(): Promise<void> {
    await this.#client.restart().catch(() => undefined); // the status says why
  }

  reconnect(): void {
    this.#client.connect();
  }

  async extend(): Promise<void> {
    await this.#client.extend().catch(() => undefined); // the warning stays
  }

  async loadOlder(): Promise<void> {
    await this.#client.loadOlder().catch(() => undefined); // the button stays
  }

  /** The page is seen again, or the network changed. */
  wake(isOnline: boolean): void {
    this.#set({ isOnline });
    // Without a network there is nothing to try, only to find out that it is gone.
    if (isOnline || this.#state.view.status.kind === "live") this.#client.probe();
    if (isOnline) this.#refreshSoon();
  }

  /** Load the newest page of the list of chats again. */
  async refreshChats(): Promise<void> {
    try {
      const page = await this.#client.api.conversations(null, PAGE);
      const shown = new Set(page.conversations.map((chat) => chat.chat_id));
      const rest = this.#state.chats.items.filter((chat) => !shown.has(chat.chat_id));
      const hasOlder = this.#state.chats.items.length > PAGE;
      this.#set({
        chats: {
          items: hasOlder ? [...page.conversations, ...rest] : page.conversations,
          next: hasOlder ? this.#state.chats.next : page.next,
          state: "ready",
        },
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#set({ chats: { ...this.#state.chats, state: "failed" } });
    }
  }

  async moreChats(): Promise<void> {
    const { next, items } = this.#state.chats;
    if (next === null) return;
    try {
      const page = await this.#client.api.conversations(next, PAGE);
      const shown = new Set(items.map((chat) => chat.chat_id));
      const older = page.conversations.filter((chat) => !shown.has(chat.chat_id));
      this.#set({ chats: { items: [...items, ...older], next: page.next, state: "ready" } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#set({ chats: { ...this.#state.chats, state: "failed" } });
    }
  }

  #begin(chatId: string | null): void {
    const client = this.#client;
    client.start(chatId === null ? {} : { chat_id: chatId }).then(
      () => {
        client.connect();
        void this.refreshChats();
      },
      (error: unknown) => {
        const isRefused = error instanceof ApiError && !error.isTemporary;
        if (chatId === null || client !== this.#client || !isRefused) return;
        this.#set({ wasMissing: true, isNew: true });
        this.#begin(null);
      },
    );
  }

  #replaceClient(state: { isNew: boolean; draft: string }): void {
    this.#unsubscribe();
    this.#client.close();
    this.#client = this.#newClient();
    this.#session = null;
    this.#set({ ...state, view: this.#client.view, wasMissing: false });
  }

  #newClient(): ColloquyClient {
    const client = new ColloquyClient({ environment: this.#environment });
    this.#unsubscribe = client.subscribe((view) => this.#onView(view));
    return client;
  }

  #onView(view: View): void {
    const before = this.#state.view;
    this.#set({ view });
    if (view.session !== null && view.session !== this.#session) this.#onSession(view.session);
    const isNews =
      before.chat.title !== view.chat.title ||
      before.chat.messages.length !== view.chat.messages.length;
    if (isNews && before.chat.cursor !== null) this.#refreshSoon();
  }

  #onSession(session: KnownSession): void {
    const moved = this.#session !== null && this.#session.chat_id !== session.chat_id;
    if (moved) this.#remembered.keepDraft(this.#session?.chat_id ?? "", "");
    this.#session = session;
    this.#remembered.keep(session);
    this.#remembered.keepDraft(session.chat_id, this.#state.draft);
    this.#address.show(session.chat_id, this.#isStep);
    this.#isStep = false;
  }

  #refreshSoon(): void {
    if (this.#refreshTimer !== null) return;
    this.#refreshTimer = this.#environment.setTimeout(() => {
      this.#refreshTimer = null;
      void this.refreshChats();
    }, REFRESH_MS);
  }

  #set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onChange();
  }
}
