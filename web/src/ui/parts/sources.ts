/** The sources under an answer. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import type { Citation } from "../../client/index";
import { t } from "../i18n/translate";
import { safeAddress } from "../markdown/render";
import { base } from "./styles";

@customElement("colloquy-sources")
export class SourcesElement extends LitElement {
  static override styles = [
    base,
    css`
      :host {
        margin-top: var(--s4);
        padding-top: var(--s3);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
        line-height: 1.45;
      }
      h3 {
        margin: 0 0 var(--s1);
        font-size: var(--text-s);
        font-weight: 600;
        color: var(--soft);
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      li {
        display: grid;
        grid-template-columns: 1.75rem minmax(0, 1fr);
        padding: var(--s2);
        margin-inline: calc(var(--s2) * -1);
        border-radius: 0.5rem;
        transition: background-color var(--calm);
      }
      li.shown {
        background: var(--accent-wash);
      }
      .n {
        color: var(--accent);
        font-weight: 600;
        font-variant-numeric: tabular-nums;
      }
      .about {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        column-gap: var(--s2);
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .title {
        font-weight: 500;
        color: var(--ink);
      }
      a.title {
        color: var(--accent);
      }
      .source {
        font-size: var(--text-xs);
        color: var(--faint);
      }
      q {
        flex-basis: 100%;
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        line-clamp: 2;
        overflow: hidden;
        color: var(--faint);
        quotes: none;
      }
      li.shown q {
        -webkit-line-clamp: unset;
        line-clamp: unset;
      }
    `,
  ];

  @property({ attribute: false }) citations: readonly Citation[] = [];
  @state() private shown: number | null = null;

  /** Bring source `n` into view and give it the focus. */
  show(n: number): void {
    this.shown = n;
    void this.updateComplete.then(() => {
      const item = this.renderRoot.querySelector<HTMLElement>(`#source-${n}`);
      item?.scrollIntoView({ block: "center" });
      item?.focus({ preventScroll: true });
    });
  }

  protected override render(): TemplateResult {
    return html`<h3>${t("sources")}</h3>
      <ol>
        ${this.citations.map((citation) => this.#source(citation))}
      </ol>`;
  }

  #source(citation: Citation): TemplateResult {
    const { n, title, source, quote } = citation;
    const address = safeAddress(citation.url);
    const name = title === "" ? source : title;
    return html`<li id="source-${n}" tabindex="-1" class=${this.shown === n ? "shown" : ""}>
      <span class="n">${n}</span>
      <div class="about">
        ${
          address === null
            ? html`<span class="title">${name}</span>`
            : html`<a class="title" href=${address} target="_blank" rel="noopener noreferrer"
                >${name}</a
              >`
        }
        ${source === name ? nothing : html`<span class="source">${source}</span>`}
        ${quote == null || quote === "" ? nothing : html`<q>${quote}</q>`}
      </div>
    </li>`;
  }
}
