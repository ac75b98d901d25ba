/** A message that is not in the chat yet: on its way, waiting, or refused. */
import { css, html, LitElement, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { OutboxEntry } from "../../client/index";
import { named, t } from "../i18n/translate";
import "./question";
import { base, buttons } from "./styles";

@customElement("colloquy-unsent")
export class UnsentElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      p {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s1) var(--s3);
        align-items: center;
        margin: 0;
        min-height: 2rem;
        font-size: var(--text-s);
        color: var(--faint);
      }
      .refused {
        color: var(--bad);
      }
    `,
  ];

  @property({ attribute: false }) entry!: OutboxEntry;
  @property({ type: Boolean }) isLive = false;

  protected override render(): TemplateResult {
    const { text, refused } = this.entry;
    const state = this.isLive ? t("unsent.sending") : t("unsent.waiting");
    return html`
      <colloquy-question .text=${text} pending></colloquy-question>
      ${refused === undefined ? html`<p>${state}</p>` : this.#refused(refused)}
    `;
  }

  #refused(refused: { code: string; message: string }): TemplateResult {
    const reason = named("error", refused.code, refused.message);
    return html`<p>
      <span class="refused">${t("unsent.refused", { reason })}</span>
      <button class="link" @click=${() => this.#say("retry")}>${t("retry")}</button>
      <button class="link" @click=${() => this.#say("edit")}>${t("unsent.edit")}</button>
      <button class="link" @click=${() => this.#say("discard")}>${t("unsent.discard")}</button>
    </p>`;
  }

  #say(what: "retry" | "edit" | "discard"): void {
    const detail = { what, id: this.entry.clientMessageId };
    this.dispatchEvent(
      new CustomEvent("colloquy-unsent", { detail, bubbles: true, composed: true }),
    );
  }
}
