/** What a rendered block gets on top: code with a copy button, wide tables, linked sources. */
import type { Citation } from "../../client/protocol";
import { t } from "../i18n/translate";

const MARKER = /\[(\d{1,3})\]/g;

/** Name of the event that asks to show a source; `detail` is its number. */
export const CITE = "colloquy-cite";

/** Change `fragment` in place. */
export function enhance(fragment: DocumentFragment, citations: readonly Citation[]): void {
  for (const pre of fragment.querySelectorAll("pre")) frameCode(pre);
  for (const table of fragment.querySelectorAll("table")) frameTable(table);
  if (citations.length > 0) linkSources(fragment, citations);
}

function frameCode(pre: HTMLPreElement): void {
  const code = pre.querySelector("code");
  const language = /language-([\w+#.-]+)/.exec(code?.className ?? "")?.[1] ?? "";
  const frame = document.createElement("div");
  frame.className = "code";
  const bar = document.createElement("div");
  bar.className = "code-bar";
  const name = document.createElement("span");
  name.textContent = language;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-copy";
  button.textContent = t("code.copy");
  bar.append(name, button);
  pre.replaceWith(frame);
  // A region that scrolls must be reachable by keyboard.
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  const label = language === "" ? t("code.label") : t("code.label_lang", { lang: language });
  pre.setAttribute("aria-label", label);
  frame.append(bar, pre);
}

function frameTable(table: HTMLTableElement): void {
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", t("table.label"));
  table.replaceWith(frame);
  frame.append(table);
}

function linkSources(fragment: DocumentFragment, citations: readonly Citation[]): void {
  const byNumber = new Map(citations.map((citation) => [citation.n, citation]));
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const isPlain = node.parentElement?.closest("a, code, pre") == null;
    if (isPlain && node.nodeValue?.includes("[") === true) texts.push(node as Text);
  }
  for (const text of texts) {
    const parts = linked(text.data, byNumber);
    if (parts.length > 1) text.replaceWith(...parts);
  }
}

function linked(text: string, byNumber: ReadonlyMap<number, Citation>): (string | Node)[] {
  const parts: (string | Node)[] = [];
  let end = 0;
  for (const match of text.matchAll(MARKER)) {
    const citation = byNumber.get(Number(match[1]));
    if (citation === undefined) continue;
    const link = document.createElement("a");
    link.className = "cite";
    link.href = `#source-${citation.n}`;
    link.dataset["n"] = String(citation.n);
    link.textContent = String(citation.n);
    link.setAttribute("aria-label", t("source.label", { n: citation.n, title: citation.title }));
    parts.push(text.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}
