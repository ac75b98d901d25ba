/** Shows markdown as it grows: only blocks that changed are drawn again. */
import { css, LitElement, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { Citation } from "../../client/index";
import { copyText } from "../clipboard";
import { t } from "../i18n/translate";
import { BlockSplitter, definitionsOf, endsInCode, topHeadingOf } from "../markdown/blocks";
import { CITE, enhance } from "../markdown/enhance";
import { renderBlock, type Whole } from "../markdown/render";
import { prose } from "./prose";
import { base } from "./styles";

interface Shown {
  source: string;
  element: HTMLElement;
}

@customElement("colloquy-markdown")
export class MarkdownElement extends LitElement {
  static override styles = [
    base,
    prose,
    css`
      :host {
        overflow-wrap: anywhere;
      }
    `,
  ];

  @property({ attribute: false }) text = "";
  @property({ attribute: false }) citations: readonly Citation[] = [];
  /** The text still grows. */
  @property({ type: Boolean, reflect: true }) streaming = false;

  readonly #splitter = new BlockSplitter();
  #shown: Shown[] = [];
  #whole: Whole = { definitions: "", topHeading: 1 };

  protected override createRenderRoot(): HTMLElement | DocumentFragment {
    const root = super.createRenderRoot();
    root.addEventListener("click", (event) => this.#clicked(event));
    return root;
  }

  // The blocks are drawn by hand: what stays is not even compared.
  protected override updated(changed: PropertyValues<this>): void {
    const blocks = this.#splitter.update(this.text);
    const before = this.#whole;
    const definitions = definitionsOf(this.text);
    this.#whole = { definitions, topHeading: topHeadingOf(blocks) };
    // Sources and link definitions can change what a bracket means, and nothing else.
    const changesLinks = changed.has("citations") || definitions !== before.definitions;
    const changesHeadings = this.#whole.topHeading !== before.topHeading;
    for (const { element } of this.#shown.splice(blocks.length)) element.remove();
    blocks.forEach((block, at) => {
      const isSame =
        this.#shown[at]?.source === block &&
        !(changesLinks && block.includes("[")) &&
        !(changesHeadings && block.includes("#"));
      if (!isSame) this.#draw(at, block);
    });
    if (changed.has("streaming") && !this.streaming) void this.#colour(this.#shown);
  }

  #draw(at: number, source: string): void {
    const fragment = renderBlock(source, this.#whole);
    enhance(fragment, this.citations);
    let shown = this.#shown[at];
    if (shown === undefined) {
      const element = document.createElement("div");
      element.className = "block";
      this.renderRoot.append(element);
      shown = { source, element };
      this.#shown.push(shown);
    }
    shown.source = source;
    shown.element.replaceChildren(fragment);
    if (!this.streaming || !endsInCode(source)) void this.#colour([shown]);
  }

  async #colour(blocks: readonly Shown[]): Promise<void> {
    const found = blocks.flatMap(({ element }) => [
      ...element.querySelectorAll<HTMLElement>('pre code[class*="language-"]'),
    ]);
    const plain = found.filter((code) => code.childElementCount === 0);
    if (plain.length === 0) return;
    try {
      const { highlight } = await import("../markdown/highlight");
      for (const code of plain) highlight(code);
    } catch {
      // Without the chunk, code stays in one colour.
    }
  }

  #clicked(event: Event): void {
    const target = event.target as HTMLElement;
    const cite = target.closest<HTMLElement>("a.cite");
    if (cite !== null) {
      event.preventDefault();
      const detail = Number(cite.dataset["n"]);
      this.dispatchEvent(new CustomEvent(CITE, { detail, bubbles: true, composed: true }));
      return;
    }
    const button = target.closest<HTMLButtonElement>("button.code-copy");
    const code = button?.closest(".code")?.querySelector("pre");
    if (button == null || code == null) return;
    void copyText(code.textContent).then((isCopied) => {
      if (!isCopied) return;
      button.textContent = t("code.copied");
      setTimeout(() => {
        button.textContent = t("code.copy");
      }, 2_000);
    });
  }
}
