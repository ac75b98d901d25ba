/** Where the person writes. Enter sends, Shift+Enter breaks the line. */
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query } from "lit/decorators.js";

import { t, tn } from "../i18n/translate";
import { sendIcon, stopIcon } from "./icons";
import { base, buttons } from "./styles";

@customElement("colloquy-composer")
export class ComposerElement extends LitElement {
  static override shadowRootOptions = { ...LitElement.shadowRootOptions, delegatesFocus: true };
  static override styles = [
    base,
    buttons,
    css`
      form {
        display: flex;
        align-items: flex-end;
        gap: var(--s1);
        padding: var(--s1);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius-l);
        background: var(--raised);
        transition: border-color var(--quick);
      }
      form:focus-within {
        border-color: var(--accent);
        box-shadow: 0 0 0 1px var(--accent);
      }
      textarea {
        flex: 1;
        min-width: 0;
        min-height: 2.75rem;
        max-height: min(40vh, 18rem);
        padding: 0.625rem var(--s3);
        border: 0;
        outline: 0;
        resize: none;
        background: none;
        color: inherit;
        /* Smaller than 16 px and phones zoom in. */
        font: 400 1rem / 1.5 var(--sans);
        field-sizing: content;
        overflow-y: auto;
      }
      /* The frame around it shows the focus. */
      textarea:focus-visible {
        outline: none;
      }
      textarea::placeholder {
        color: var(--faint);
        opacity: 1;
      }
      .round {
        display: grid;
        place-items: center;
        flex: none;
        width: 2.75rem;
        height: 2.75rem;
        border-radius: 0.8rem;
        transition:
          background-color var(--quick),
          color var(--quick);
      }
      .send {
        background: var(--accent);
        color: var(--accent-ink);
      }
      .send:disabled {
        background: var(--panel);
        color: var(--faint);
      }
      .stop {
        color: var(--ink);
        box-shadow: inset 0 0 0 1px var(--line-strong);
      }
      .stop:hover:not(:disabled) {
        background: var(--panel);
      }
      .stop:disabled {
        color: var(--faint);
      }
      .over {
        margin: var(--s1) var(--s3) 0;
        font-size: var(--text-s);
        color: var(--bad);
      }
    `,
  ];

  /** Changes here first as the person types; the page is told and remembers it. */
  @property() draft = "";
  @property({ type: Boolean }) isBusy = false;
  @property({ type: Boolean }) isStopping = false;
  /** The most characters that the server takes; 0 if not known. */
  @property({ type: Number }) limit = 0;
  @query("textarea") private field!: HTMLTextAreaElement;

  override focus(): void {
    void this.updateComplete.then(() => this.field.focus());
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("draft")) this.#fit();
  }

  protected override render(): TemplateResult {
    const over = this.limit === 0 ? 0 : Math.max(0, charactersIn(this.draft) - this.limit);
    const mayWrite = this.draft.trim() !== "" && over === 0;
    return html`
      <form
        @submit=${(event: Event) => {
          event.preventDefault();
          this.#send();
        }}
      >
        <textarea
          rows="1"
          .value=${this.draft}
          placeholder=${t("composer.placeholder")}
          aria-label=${t("composer.label")}
          aria-describedby="keys"
          aria-invalid=${String(over > 0)}
          enterkeyhint="send"
          autocomplete="off"
          @input=${() => {
            this.draft = this.field.value;
            this.#say("colloquy-draft", this.draft);
          }}
          @keydown=${(event: KeyboardEvent) => this.#pressed(event)}
        ></textarea>
        <span id="keys" class="hidden-visually">${t("composer.keys")}</span>
        ${
          this.isBusy
            ? html`<button
                type="button"
                class="round stop"
                ?disabled=${this.isStopping}
                aria-label=${this.isStopping ? t("composer.stopping") : t("composer.stop")}
                title="${t("composer.stop")} (Esc)"
                @click=${() => this.#say("colloquy-stop", null)}
              >
                ${stopIcon}
              </button>`
            : nothing
        }
        ${
          this.isBusy && this.draft === ""
            ? nothing
            : html`<button
                class="round send"
                ?disabled=${!mayWrite}
                aria-label=${t("composer.send")}
                title=${t("composer.send")}
              >
                ${sendIcon}
              </button>`
        }
      </form>
      ${over > 0 ? html`<p class="over" role="alert">${tn("composer.too_long", over)}</p>` : nothing}
    `;
  }

  #pressed(event: KeyboardEvent): void {
    // While a Korean syllable is being put together, Enter ends the syllable.
    // Safari reports that Enter after the composition's end, with this key code.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.#send();
  }

  #send(): void {
    const text = this.field.value.trim();
    if (text === "" || (this.limit > 0 && charactersIn(text) > this.limit)) return;
    this.draft = "";
    this.#say("colloquy-send", text);
  }

  /** Grow with the text where the browser does not do so by itself. */
  #fit(): void {
    if (CSS.supports("field-sizing", "content")) return;
    const { field } = this;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }

  #say(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** Counts as the server does: code points. */
function charactersIn(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
