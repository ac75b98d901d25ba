/** What the person asked, set as the heading of its turn; a long text folds. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { t } from "../i18n/translate";
import { base, buttons } from "./styles";

const HEADING = 160; // characters; what is longer is a text and not a headline
const FOLDS = 900; // characters
const FOLDS_LINES = 14;

@customElement("colloquy-question")
export class QuestionElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      h2,
      .text {
        margin: 0;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      h2 {
        font: 500 var(--text-l) / 1.4 var(--serif);
        color: var(--ink);
        text-wrap: pretty;
      }
      .text {
        padding: var(--s3) var(--s4);
        border-radius: var(--radius);
        background: var(--panel);
        color: var(--soft);
        font-size: var(--text-s);
        line-height: 1.55;
      }
      .folded {
        max-height: 11rem;
        overflow: hidden;
        mask-image: linear-gradient(#000 70%, transparent);
      }
      .link {
        margin-top: var(--s1);
        font-size: var(--text-s);
      }
      :host([pending]) h2,
      :host([pending]) .text {
        color: var(--faint);
      }
    `,
  ];

  @property() text = "";
  @property({ type: Boolean, reflect: true }) pending = false;
  @state() private isOpen = false;

  protected override render(): TemplateResult {
    const { text } = this;
    const you = html`<span class="hidden-visually">${t("you")}: </span>`;
    if (text.length <= HEADING && !text.includes("\n")) return html`<h2>${you}${text}</h2>`;
    const folds = text.length > FOLDS || text.split("\n").length > FOLDS_LINES;
    return html`
      <h2 class="hidden-visually">${you}${text.slice(0, HEADING)}…</h2>
      <div class="text ${folds && !this.isOpen ? "folded" : ""}">${text}</div>
      ${
        folds
          ? html`<button
              class="link"
              aria-expanded=${String(this.isOpen)}
              @click=${() => {
                this.isOpen = !this.isOpen;
              }}
            >
              ${this.isOpen ? t("question.less") : t("question.more")}
            </button>`
          : nothing
      }
    `;
  }
}
