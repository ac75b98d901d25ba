/** The conversation: its turns, what is not sent yet, and where one is in it. */
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { View } from "../../client/index";
import { Follower } from "../follow";
import { t } from "../i18n/translate";
import { type Turn, turnsOf } from "../turns";
import { downIcon } from "./icons";
import { base, buttons } from "./styles";
import "./turn";
import "./unsent";
import "./welcome";

@customElement("colloquy-conversation")
export class ConversationElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      :host {
        position: relative;
        min-height: 0;
      }
      .area {
        height: 100%;
        overflow-y: auto;
        overscroll-behavior: contain;
        overflow-anchor: none;
        scrollbar-gutter: stable both-edges;
      }
      .area:focus-visible {
        outline-offset: -2px;
      }
      .content {
        display: grid;
        align-content: start;
        gap: var(--s6);
        max-width: var(--measure);
        min-height: 100%;
        margin: 0 auto;
        padding: var(--s5) var(--gutter) var(--s6);
      }
      .content > * {
        min-width: 0;
      }
      colloquy-turn + colloquy-turn,
      colloquy-turn + colloquy-unsent,
      colloquy-unsent + colloquy-unsent {
        padding-top: var(--s6);
        border-top: 1px solid var(--line);
      }
      colloquy-welcome {
        align-self: end;
        margin-top: auto;
      }
      .empty {
        align-content: center;
      }
      .older {
        justify-self: center;
        font-size: var(--text-s);
      }
      .notice {
        margin: 0;
        padding: var(--s2) var(--s3);
        border-radius: var(--radius);
        background: var(--warn-wash);
        color: var(--warn);
        font-size: var(--text-s);
      }
      .latest {
        position: absolute;
        bottom: var(--s3);
        left: 50%;
        translate: -50% 0;
        display: inline-flex;
        align-items: center;
        gap: var(--s2);
        min-height: 2.25rem;
        padding: 0 var(--s4) 0 var(--s3);
        border: 1px solid var(--line);
        border-radius: 1.2rem;
        background: var(--raised);
        box-shadow: var(--shadow);
        font-size: var(--text-s);
        white-space: nowrap;
      }
      .latest svg {
        width: 1rem;
        height: 1rem;
      }
    `,
  ];

  @property({ attribute: false }) view!: View;
  @property({ type: Boolean }) isNew = false;
  @property({ type: Boolean }) wasMissing = false;
  @state() private isFollowing = true;
  @state() private isLoadingOlder = false;
  @query(".area") private area!: HTMLElement;
  @query(".content") private content!: HTMLElement;

  /** Loads the page of older messages; set by the page. */
  loadOlder: () => Promise<void> = () => Promise.resolve();

  #turns: readonly Turn[] = [];
  #follower: Follower | null = null;

  /** Go to the newest words and follow them. */
  toEnd(): void {
    this.#follower?.toEnd();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#follower?.disconnect();
  }

  protected override firstUpdated(): void {
    this.#follower = new Follower(this.area, this.content, (isFollowing) => {
      this.isFollowing = isFollowing;
    });
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("view")) this.#turns = turnsOf(this.view.chat, this.#turns);
  }

  private get isEmpty(): boolean {
    const isKnown = this.view.chat.cursor !== null || this.isNew;
    return isKnown && this.#turns.length === 0 && this.view.unsent.length === 0;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (this.#follower !== null) this.#follower.isPaused = this.isEmpty;
    const before = changed.get("view");
    if (before === undefined) return;
    const isOther = before.chat.chatId !== this.view.chat.chatId;
    const isFirst = before.chat.cursor === null && this.view.chat.cursor !== null;
    if (this.isEmpty) this.area.scrollTop = 0;
    else if (isOther || isFirst) this.toEnd();
  }

  protected override render(): TemplateResult {
    const { chat, unsent, stopping, status } = this.view;
    const { isEmpty } = this;
    return html`
      <div class="area" tabindex="0" role="region" aria-label=${t("conversation")}>
        <div class="content ${isEmpty ? "empty" : ""}">
          ${this.wasMissing && isEmpty ? html`<p class="notice">${t("conversation.missing")}</p>` : nothing}
          ${chat.hasMore ? this.#older() : nothing}
          ${isEmpty ? html`<colloquy-welcome></colloquy-welcome>` : nothing}
          ${repeat(
            this.#turns,
            (turn) => turn.key,
            (turn) =>
              html`<colloquy-turn
                .turn=${turn}
                .isStopping=${stopping.includes(turn.key)}
              ></colloquy-turn>`,
          )}
          ${repeat(
            unsent,
            (entry) => entry.clientMessageId,
            (entry) =>
              html`<colloquy-unsent
                .entry=${entry}
                .isLive=${status.kind === "live"}
              ></colloquy-unsent>`,
          )}
        </div>
      </div>
      ${
        this.isFollowing || isEmpty
          ? nothing
          : html`<button class="latest" @click=${() => this.#follower?.toEnd(true)}>
              ${downIcon}${t("latest")}
            </button>`
      }
    `;
  }

  #older(): TemplateResult {
    return html`<button
      class="link older"
      ?disabled=${this.isLoadingOlder}
      @click=${() => void this.#loadOlder()}
    >
      ${this.isLoadingOlder ? t("older.loading") : t("older")}
    </button>`;
  }

  async #loadOlder(): Promise<void> {
    this.isLoadingOlder = true;
    const load = async (): Promise<void> => {
      await this.loadOlder();
      this.isLoadingOlder = false;
      await this.#drawn();
    };
    await (this.#follower?.keepPlace(load) ?? load());
  }

  /** Resolves when the turns and what is in them have been drawn. */
  async #drawn(): Promise<void> {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    await this.updateComplete;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}
