/** The whole page: chats at the side, the conversation, the message field. */
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";

import { live } from "lit/directives/live.js";

import { activeRun, platform, type View } from "../../client/index";
import { browserAddress } from "../address";
import { aboutConnection, announcements } from "../announce";
import { Controller, type PageState } from "../controller";
import { t } from "../i18n/translate";
import type { StatusAction } from "../status-words";
import "./composer";
import type { ComposerElement } from "./composer";
import "./conversation";
import type { ConversationElement } from "./conversation";
import "./history";
import { closeIcon, menuIcon, newIcon } from "./icons";
import { pageStyles } from "./page-styles";
import "./status-line";
import { base, buttons } from "./styles";

const HIDDEN_MS = 250; // a hidden page is not drawn more often than this
const WIDE = "(min-width: 56rem)";

@customElement("colloquy-page")
export class PageElement extends LitElement {
  static override styles = [base, buttons, pageStyles];

  @state() private shown: PageState;
  @state() private isWide = matchMedia(WIDE).matches;
  @state() private announcement = "";
  @query("colloquy-composer") private composer!: ComposerElement;
  @query("colloquy-conversation") private conversation!: ConversationElement;
  @query("dialog") private drawer!: HTMLDialogElement | null;

  readonly #controller: Controller;
  readonly #stopListening = new AbortController();
  #isDrawing = false;
  #announced: View;
  #wasLost = false;

  constructor() {
    super();
    this.#controller = new Controller(platform(), browserAddress(), () => this.#drawSoon());
    this.shown = this.#controller.state;
    this.#announced = this.shown.view;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { signal } = this.#stopListening;
    const wake = (): void => this.#controller.wake(navigator.onLine);
    window.addEventListener("online", wake, { signal });
    window.addEventListener("offline", wake, { signal });
    window.addEventListener("pageshow", wake, { signal });
    window.addEventListener("popstate", () => this.#controller.start(), { signal });
    document.addEventListener(
      "visibilitychange",
      () => {
        if (!document.hidden) wake();
      },
      { signal },
    );
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    matchMedia(WIDE).addEventListener(
      "change",
      (event) => {
        this.isWide = event.matches;
      },
      { signal },
    );
    this.#controller.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopListening.abort();
  }

  protected override firstUpdated(): void {
    // On a phone the keyboard would cover the page before anything was read.
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has("shown")) return;
    const title = this.heading;
    document.title = title === null ? t("app.name") : `${title} · ${t("app.name")}`;
    this.#announce(this.shown.view);
  }

  /** The list may know a title that no event has told. */
  private get heading(): string | null {
    const { view, chats } = this.shown;
    const listed = chats.items.find((chat) => chat.chat_id === view.session?.chat_id);
    return view.chat.title ?? listed?.title ?? null;
  }

  protected override render(): TemplateResult {
    const { view, isNew, wasMissing } = this.shown;
    // What is drawn may be a moment old; the draft must never be, or letters get lost.
    const { draft } = this.#controller.state;
    const run = activeRun(view.chat);
    return html`
      <button class="skip" @click=${() => this.composer.focus()}>${t("skip")}</button>
      ${this.isWide ? html`<nav aria-label=${t("history")}>${this.#side()}</nav>` : this.#drawer()}
      <main>
        ${this.isWide ? nothing : this.#bar()}
        <h1 class="hidden-visually">${this.heading ?? t("app.name")}</h1>
        <colloquy-conversation
          .view=${view}
          .isNew=${isNew}
          .wasMissing=${wasMissing}
          .loadOlder=${() => this.#controller.loadOlder()}
          @colloquy-ask=${(event: CustomEvent<string>) => this.#send(event.detail)}
          @colloquy-unsent=${(event: CustomEvent<{ what: string; id: string }>) =>
            this.#unsent(event.detail)}
        ></colloquy-conversation>
        <footer>
          <colloquy-status
            .state=${this.shown}
            @colloquy-status-action=${(event: CustomEvent<StatusAction>) => this.#act(event.detail)}
          ></colloquy-status>
          <colloquy-composer
            .draft=${live(draft)}
            .isBusy=${run !== null}
            .isStopping=${run !== null && view.stopping.includes(run.id)}
            .limit=${view.limits?.text_chars ?? 0}
            @colloquy-draft=${(event: CustomEvent<string>) =>
              this.#controller.setDraft(event.detail)}
            @colloquy-send=${(event: CustomEvent<string>) => this.#send(event.detail)}
            @colloquy-stop=${() => this.#controller.stop()}
          ></colloquy-composer>
        </footer>
      </main>
      <div class="hidden-visually" role="status" aria-live="polite">${this.announcement}</div>
    `;
  }

  #bar(): TemplateResult {
    return html`<header>
      <button
        class="icon"
        aria-label=${t("history.open")}
        aria-haspopup="dialog"
        @click=${() => this.drawer?.showModal()}
      >
        ${menuIcon}
      </button>
      <span class="here">${this.heading ?? t("app.name")}</span>
      <button class="icon" aria-label=${t("new_chat")} @click=${() => this.#newChat()}>
        ${newIcon}
      </button>
    </header>`;
  }

  #drawer(): TemplateResult {
    return html`<dialog
      aria-label=${t("history")}
      @click=${(event: MouseEvent) => {
        // The backdrop belongs to the dialog itself; its content is a child.
        if (event.target === this.drawer) this.drawer?.close();
      }}
    >
      <div class="drawer">
        <button
          class="icon close"
          aria-label=${t("history.close")}
          @click=${() => this.drawer?.close()}
        >
          ${closeIcon}
        </button>
        ${this.#side()}
      </div>
    </dialog>`;
  }

  #side(): TemplateResult {
    const { chats, view } = this.shown;
    return html`
      <div class="brand">
        <span class="seal" aria-hidden="true"><i></i><i></i></span>${t("app.name")}
      </div>
      <button class="new" @click=${() => this.#newChat()}>${newIcon}${t("new_chat")}</button>
      <colloquy-history
        .chats=${chats}
        .current=${view.session?.chat_id ?? null}
        @colloquy-open=${(event: CustomEvent<string>) => this.#open(event.detail)}
        @colloquy-chats=${(event: CustomEvent<string>) =>
          void (event.detail === "more"
            ? this.#controller.moreChats()
            : this.#controller.refreshChats())}
      ></colloquy-history>
    `;
  }

  #send(text: string): void {
    this.#controller.send(text);
    this.conversation.toEnd();
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  #newChat(): void {
    this.drawer?.close();
    this.#controller.newChat();
    this.composer.focus();
  }

  #open(chatId: string): void {
    this.drawer?.close();
    this.#controller.open(chatId);
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  #unsent({ what, id }: { what: string; id: string }): void {
    if (what === "retry") this.#controller.retryUnsent(id);
    else if (what === "discard") this.#controller.discardUnsent(id);
    else {
      this.#controller.editUnsent(id);
      this.composer.focus();
    }
  }

  #act(action: StatusAction): void {
    switch (action) {
      case "try":
        this.#controller.wake(navigator.onLine);
        break;
      case "extend":
        void this.#controller.extend();
        break;
      case "restart":
        void this.#controller.restart();
        break;
      case "reconnect":
        this.#controller.reconnect();
        break;
      case "reload":
        location.reload();
        break;
    }
  }

  #pressed(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.isComposing || this.drawer?.open === true) return;
    if (activeRun(this.shown.view.chat) !== null) this.#controller.stop();
  }

  #announce(view: View): void {
    const before = this.#announced;
    this.#announced = view;
    const said = announcements(before.chat, view.chat);
    if (before.status.kind === "live" && view.status.kind !== "live") this.#wasLost = true;
    const line = aboutConnection(before.status, view.status, this.#wasLost);
    if (view.status.kind === "live") this.#wasLost = false;
    if (line !== null) said.push(line);
    if (said.length === 0) return;
    // The same words twice are announced twice only if the text differs.
    const words = said.join(" ");
    this.announcement = words === this.announcement ? `${words}\u00a0` : words;
  }

  /** Draw once for many events: a replay brings hundreds in one moment. */
  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    const draw = (): void => {
      this.#isDrawing = false;
      this.shown = this.#controller.state;
    };
    // Frames are not drawn, and their callbacks not run, while the page is hidden.
    if (document.hidden) setTimeout(draw, HIDDEN_MS);
    else requestAnimationFrame(draw);
  }
}
