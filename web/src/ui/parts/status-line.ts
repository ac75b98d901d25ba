/** One quiet line about the connection. Empty while all is well; never a dialog. */
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import type { PageState } from "../controller";
import { statusWords } from "../status-words";
import { base, buttons } from "./styles";

const BACK_MS = 2_500;

@customElement("colloquy-status")
export class StatusElement extends LitElement {
  static override styles = [
    base,
    buttons,
    css`
      :host {
        min-height: 1.5rem;
        font-size: var(--text-s);
        color: var(--faint);
        font-variant-numeric: tabular-nums;
      }
      p {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: 0 var(--s2);
        margin: 0;
        text-align: center;
      }
      .warn {
        color: var(--warn);
      }
      .late {
        animation: appear var(--calm) 0.7s both;
      }
      @keyframes appear {
        from {
          opacity: 0;
        }
      }
    `,
  ];

  @property({ attribute: false }) state!: Pick<PageState, "view" | "isOnline">;
  @state() private now = Date.now();
  @state() private isBack = false;

  #wasLost = false;
  #ticking = 0;
  #backTimer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#ticking = window.setInterval(() => {
      const { status, endsAt } = this.state.view;
      if (status.kind === "waiting" || endsAt !== null) this.now = Date.now();
    }, 500);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearInterval(this.#ticking);
    window.clearTimeout(this.#backTimer);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("state")?.view.status.kind;
    const { kind } = this.state.view.status;
    if (before === undefined || before === kind) return;
    this.now = Date.now();
    if (before === "live") this.#wasLost = true;
    if (kind !== "live" || !this.#wasLost) return;
    this.#wasLost = false;
    this.isBack = true;
    window.clearTimeout(this.#backTimer);
    this.#backTimer = window.setTimeout(() => {
      this.isBack = false;
    }, BACK_MS);
  }

  protected override render(): TemplateResult | typeof nothing {
    const words = statusWords(this.state, this.now, this.#wasLost, this.isBack);
    if (words === null) return nothing;
    const { kind } = this.state.view.status;
    // A connection that is made at once is not worth a flash of text.
    const isLate = kind === "connecting" || kind === "starting";
    return html`<p class="${words.tone} ${isLate ? "late" : ""}">
      <span>${words.text}</span>
      ${
        words.action === null
          ? nothing
          : html`<button class="link" @click=${() => this.#act(words.action?.what)}>
              ${words.action.label}
            </button>`
      }
    </p>`;
  }

  #act(detail: string | undefined): void {
    this.dispatchEvent(
      new CustomEvent("colloquy-status-action", { detail, bubbles: true, composed: true }),
    );
  }
}
