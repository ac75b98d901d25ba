/** The list of this visitor's chats, newest first. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { Conversation } from "../../client/index";
import type { ChatList } from "../controller";
import { ago, t } from "../i18n/translate";
import { base, buttons } from "./styles";

@customElement("colloquy-history")
export class HistoryElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      a {
        display: block;
        padding: var(--s2) var(--s3);
        border-radius: var(--radius);
        color: var(--ink);
        text-decoration: none;
        transition: background-color var(--quick);
      }
      a:hover {
        background: var(--accent-wash);
      }
      a[aria-current] {
        background: var(--accent-wash);
        box-shadow: inset 2px 0 var(--accent);
      }
      .title {
        display: block;
        overflow: hidden;
        white-space: nowrap;
        text-overflow: ellipsis;
        font-size: var(--text-s);
        font-weight: 500;
        line-height: 1.5;
      }
      .when {
        font-size: var(--text-xs);
        color: var(--faint);
      }
      p,
      .more {
        margin: var(--s2) var(--s3);
        font-size: var(--text-s);
        color: var(--faint);
      }
      .more {
        color: var(--accent);
      }
    `,
  ];

  @property({ attribute: false }) chats!: ChatList;
  @property() current: string | null = null;

  protected override render(): TemplateResult {
    const { items, next, state } = this.chats;
    // A chat in which nothing was said yet is not history.
    const shown = items.filter((chat) => chat.message_count > 0 || chat.chat_id === this.current);
    const now = Date.now();
    return html`
      ${state === "ready" && shown.length === 0 ? html`<p>${t("history.empty")}</p>` : nothing}
      <ol>
        ${repeat(
          shown,
          (chat) => chat.chat_id,
          (chat) => this.#item(chat, now),
        )}
      </ol>
      ${
        state === "failed"
          ? html`<p>
              ${t("history.failed")}
              <button class="link" @click=${() => this.#say("colloquy-chats", "refresh")}>
                ${t("retry")}
              </button>
            </p>`
          : nothing
      }
      ${
        next === null
          ? nothing
          : html`<button class="link more" @click=${() => this.#say("colloquy-chats", "more")}>
              ${t("history.more")}
            </button>`
      }
    `;
  }

  #item(chat: Conversation, now: number): TemplateResult {
    const said = chat.title ?? chat.last_message ?? "";
    const isCurrent = chat.chat_id === this.current;
    return html`<li>
      <a
        href="/?chat=${encodeURIComponent(chat.chat_id)}"
        aria-current=${isCurrent ? "page" : nothing}
        @click=${(event: MouseEvent) => this.#clicked(event, chat.chat_id)}
      >
        <span class="title">${said === "" ? t("history.untitled") : said}</span>
        <span class="when">${ago(chat.updated_at, now)}</span>
      </a>
    </li>`;
  }

  #clicked(event: MouseEvent, chatId: string): void {
    // With a modifier key it is a link like any other: a new tab.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.#say("colloquy-open", chatId);
  }

  #say(name: string, detail: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
