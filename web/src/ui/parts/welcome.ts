/** What an empty chat shows: a greeting and questions to begin with. */
import { css, html, LitElement, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { t } from "../i18n/translate";
import { base, buttons } from "./styles";

const SAMPLES = [
  { label: "sample.1.label", text: "sample.1.text" },
  { label: "sample.2.label", text: "sample.2.text" },
  { label: "sample.3.label", text: "sample.3.text" },
  { label: "sample.4.label", text: "sample.4.text" },
] as const;

@customElement("colloquy-welcome")
export class WelcomeElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      h2 {
        margin: 0 0 var(--s2);
        font: 500 var(--text-2xl) / 1.2 var(--serif);
        letter-spacing: -0.01em;
        text-wrap: balance;
      }
      p {
        margin: 0 0 var(--s5);
        color: var(--soft);
        text-wrap: pretty;
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr));
        gap: 0 var(--s5);
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        border-top: 1px solid var(--line);
      }
      button {
        display: flex;
        flex-direction: column;
        width: calc(100% + 2 * var(--s2));
        height: 100%;
        padding: var(--s3) var(--s2);
        margin-inline: calc(var(--s2) * -1);
        border-radius: var(--radius);
        text-align: start;
        transition: background-color var(--quick);
      }
      button:hover {
        background: var(--accent-wash);
      }
      .label {
        display: block;
        font-size: var(--text-s);
        font-weight: 600;
        color: var(--accent);
      }
      .text {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
        line-clamp: 3;
        overflow: hidden;
        font-size: var(--text-s);
        line-height: 1.5;
        color: var(--soft);
      }
    `,
  ];

  protected override render(): TemplateResult {
    return html`
      <h2>${t("welcome.title")}</h2>
      <p>${t("welcome.text")}</p>
      <ul>
        ${SAMPLES.map(
          ({ label, text }) =>
            html`<li>
              <button @click=${() => this.#ask(t(text))}>
                <span class="label">${t(label)}</span>
                <span class="text">${t(text)}</span>
              </button>
            </li>`,
        )}
      </ul>
    `;
  }

  #ask(detail: string): void {
    this.dispatchEvent(new CustomEvent("colloquy-ask", { detail, bubbles: true, composed: true }));
  }
}
