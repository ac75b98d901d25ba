/** The progress rail of one run: one line, and the steps behind it. */
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { hasEnded, type Run } from "../../client/index";
import { formatNumber, t } from "../i18n/translate";
import { type Step, stepsOf, summaryOf } from "../steps";
import { chevronIcon, doneIcon, failedIcon } from "./icons";
import { railStyles } from "./rail-styles";
import { base, colon } from "./styles";

// A run that is quicker than this needs no list that opens and closes again.
const OPENS_AFTER_MS = 350;
const TICK_MS = 1_000;

@customElement("colloquy-rail")
export class RailElement extends LitElement {
  static override styles = [base, colon, railStyles];

  @property({ attribute: false }) run!: Run;
  @property({ attribute: false }) sources = 0;
  @property({ type: Boolean }) isStopping = false;
  /** Set once the person has opened or closed it: from then on it stays as they want it. */
  @state() private choice: boolean | null = null;
  @state() private isDue = false;
  @state() private now = 0;

  /** When each step was first seen at work, by this page's own clock. */
  readonly #since = new Map<string, number>();
  #timers: number[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#timers = [
      window.setTimeout(() => {
        this.isDue = true;
      }, OPENS_AFTER_MS),
      window.setInterval(() => {
        if (!hasEnded(this.run)) this.now = performance.now();
      }, TICK_MS),
    ];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    const [due, tick] = this.#timers;
    window.clearTimeout(due);
    window.clearInterval(tick);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("run")) return;
    for (const step of stepsOf(this.run)) {
      if (!this.#since.has(step.key)) this.#since.set(step.key, performance.now());
    }
  }

  private get isOpen(): boolean {
    if (this.choice !== null) return this.choice;
    const { status, phase } = this.run;
    if (status === "failed") return true;
    return this.isDue && (status === "running" || status === "waiting") && phase !== "answering";
  }

  protected override render(): TemplateResult {
    const steps = stepsOf(this.run);
    const { isOpen } = this;
    return html`
      <button
        class="line ${this.run.status}"
        aria-expanded=${isOpen ? "true" : "false"}
        aria-controls="steps"
        title=${isOpen ? t("rail.hide") : t("rail.show")}
        ?disabled=${steps.length === 0}
        @click=${() => {
          this.choice = !isOpen;
        }}
      >
        <span class="node">${this.#mark()}</span>
        <span class="summary">${summaryOf(this.run, this.sources, this.isStopping)}</span>
        ${steps.length === 0 ? nothing : html`<span class="chevron">${chevronIcon}</span>`}
      </button>
      <div class="fold ${isOpen ? "open" : ""}" id="steps">
        <ol aria-label=${t("rail.label")} ?inert=${!isOpen}>
          ${repeat(
            steps,
            (step) => step.key,
            (step) => this.#step(step),
          )}
        </ol>
      </div>
    `;
  }

  #mark(): TemplateResult {
    switch (this.run.status) {
      case "completed":
        return doneIcon;
      case "failed":
        return failedIcon;
      case "cancelled":
        return html`<i class="square"></i>`;
      default:
        return html`<span class="colon"><i></i><i></i></span>`;
    }
  }

  #step(step: Step): TemplateResult {
    return html`<li class=${step.state}>
      <span class="node" aria-hidden="true">${nodeOf(step)}</span>
      <div class="body">
        <span class="label">${step.label}</span>${this.#time(step)}
        ${step.detail === "" ? nothing : html`<span class="detail">${step.detail}</span>`}
        ${
          step.fraction !== null && step.state === "active"
            ? html`<progress max="1" .value=${step.fraction} aria-label=${step.label}></progress>`
            : nothing
        }
        ${step.memories.length === 0 ? nothing : this.#memories(step.memories)}
      </div>
    </li>`;
  }

  #time(step: Step): TemplateResult | typeof nothing {
    const since = this.#since.get(step.key) ?? this.now;
    const waited = Math.floor((this.now - since) / 1000);
    const seconds = step.state === "active" && waited >= 1 ? waited : step.seconds;
    if (seconds === null) return nothing;
    return html`<span class="time">${t("rail.seconds", { n: formatNumber(seconds) })}</span>`;
  }

  #memories(memories: Step["memories"]): TemplateResult {
    return html`<ul class="memories">
      ${memories.map(
        (memory) =>
          html`<li>
            <span class="label">${memory.title === "" ? memory.kind : memory.title}</span>
            <span class="detail">${memory.snippet}</span>
            <span class="detail why">${memory.reasons.join(" · ")}</span>
          </li>`,
      )}
    </ul>`;
  }
}

function nodeOf(step: Step): TemplateResult {
  if (step.state === "done") return doneIcon;
  if (step.state === "failed") return failedIcon;
  return html`<i class="dot"></i>`;
}
