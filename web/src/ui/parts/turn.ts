/** One turn of the conversation: the question, the work on it, the answer and its sources. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Citation, hasEnded, type Message } from "../../client/index";
import { copyText } from "../clipboard";
import { failureWords } from "../failure";
import { t } from "../i18n/translate";
import type { Turn } from "../turns";
import { copyIcon, doneIcon } from "./icons";
import "./markdown";
import "./question";
import "./rail";
import "./sources";
import type { SourcesElement } from "./sources";
import { base, buttons, colon } from "./styles";

@customElement("colloquy-turn")
export class TurnElement extends LitElement {
  static override styles = [
    base,
    buttons,
    colon,
    css`
      .answer {
        margin-top: var(--s2);
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--s1) var(--s3);
        margin: var(--s2) 0 0 calc(var(--s2) * -1);
        min-height: 1.75rem;
      }
      .note {
        padding-inline-start: var(--s2);
        font-size: var(--text-s);
        color: var(--faint);
      }
      .small svg {
        width: 1rem;
        height: 1rem;
      }
      .failure {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s1) var(--s3);
        margin: var(--s2) 0 0;
        padding: var(--s2) var(--s3);
        border-radius: var(--radius);
        background: var(--bad-wash);
        color: var(--bad);
        font-size: var(--text-s);
      }
      .silence {
        display: flex;
        flex-wrap: wrap;
        gap: var(--s1) var(--s3);
        margin: var(--s2) 0 0;
        font-size: var(--text-s);
        color: var(--faint);
      }
      .failure .link {
        color: inherit;
        font-weight: 600;
      }
    `,
  ];

  @property({ attribute: false }) turn!: Turn;
  @property({ type: Boolean }) isStopping = false;
  @state() private copied: string | null = null;

  protected override render(): TemplateResult {
    const { question, run, answers } = this.turn;
    const sources = answers.reduce((sum, answer) => sum + answer.citations.length, 0);
    return html`
      ${
        question === null
          ? nothing
          : html`<colloquy-question .text=${question.text}></colloquy-question>`
      }
      ${
        run === null
          ? nothing
          : html`<colloquy-rail
              .run=${run}
              .sources=${sources}
              .isStopping=${this.isStopping}
            ></colloquy-rail>`
      }
      ${answers.map((answer) => this.#answer(answer))} ${this.#failure()}
    `;
  }

  #answer(answer: Message): TemplateResult {
    const isStreaming = answer.status === "streaming";
    return html`<section class="answer" aria-label=${t("answer")} aria-busy=${String(isStreaming)}>
      <colloquy-markdown
        .text=${answer.text}
        .citations=${answer.citations}
        .streaming=${isStreaming}
        @colloquy-cite=${(event: CustomEvent<number>) => this.#showSource(event)}
      ></colloquy-markdown>
      ${this.#sources(answer.citations)} ${isStreaming ? nothing : this.#tools(answer)}
    </section>`;
  }

  #sources(citations: readonly Citation[]): TemplateResult | typeof nothing {
    if (citations.length === 0) return nothing;
    return html`<colloquy-sources .citations=${citations}></colloquy-sources>`;
  }

  #tools(answer: Message): TemplateResult {
    const isCopied = this.copied === answer.id;
    return html`<div class="tools">
      ${
        answer.text === ""
          ? nothing
          : html`<button class="small" @click=${() => void this.#copy(answer)}>
              ${isCopied ? doneIcon : copyIcon} ${isCopied ? t("answer.copied") : t("answer.copy")}
            </button>`
      }
      ${
        answer.status === "stopped"
          ? html`<span class="note">${t("answer.stopped")}</span>`
          : nothing
      }
    </div>`;
  }

  /** A run that ended without a word leaves nothing behind but its question. */
  #nothing(question: Message): TemplateResult {
    return html`<p class="silence">
      <span>${t("answer.none")}</span>
      <button class="link" @click=${() => this.#askAgain(question)}>${t("ask_again")}</button>
    </p>`;
  }

  #askAgain(question: Message): void {
    const detail = question.text;
    this.dispatchEvent(new CustomEvent("colloquy-ask", { detail, bubbles: true, composed: true }));
  }

  #failure(): TemplateResult | typeof nothing {
    const { run, answers, question } = this.turn;
    if (run === null && answers.length === 0 && question !== null) return this.#nothing(question);
    const hasFailed =
      run === null
        ? answers.some((answer) => answer.status === "failed")
        : hasEnded(run) && run.status === "failed";
    if (!hasFailed) return nothing;
    // A failure from before this page was opened: only the answer's state is known.
    const mayAskAgain = question !== null && (run?.error == null || run.error.isRetryable);
    return html`<p class="failure">
      <span>${failureWords(run?.error ?? null)}</span>
      ${
        mayAskAgain
          ? html`<button class="link" @click=${() => this.#askAgain(question)}>
              ${t("ask_again")}
            </button>`
          : nothing
      }
    </p>`;
  }

  #showSource(event: CustomEvent<number>): void {
    event.stopPropagation();
    const sources = this.renderRoot.querySelector<SourcesElement>("colloquy-sources");
    sources?.show(event.detail);
  }

  async #copy(answer: Message): Promise<void> {
    if (!(await copyText(answer.text))) return;
    this.copied = answer.id;
    setTimeout(() => {
      this.copied = null;
    }, 2_000);
  }
}
