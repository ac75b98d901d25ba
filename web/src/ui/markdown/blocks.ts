/** Cuts markdown into blocks that can be rendered one by one. Pure. */

const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const FENCE = /^(?: {0,3}(?:[-*+]|\d{1,9}[.)])\s+|\s*)(`{3,}|~{3,})([^\n]*)$/;
const INDENTED = /^(?: {2}|\t| \t)/;
const HEADING = /^(#{1,6})\s/gm;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:[ \t]*\S.*$/gm;

/**
 * Cut `text` at blank lines where no block goes on: not inside code, lists or indented parts.
 * The pieces joined are `text` again. Linear in its length.
 */
export function splitBlocks(text: string): string[] {
  const blocks: string[] = [];
  let start = 0;
  let at = 0;
  let fence: string | null = null;
  let isList = false;
  let isAfterBlank = false;
  while (at < text.length) {
    const newline = text.indexOf("\n", at);
    const end = newline === -1 ? text.length : newline + 1;
    const line = text.slice(at, newline === -1 ? end : newline);
    if (fence !== null) {
      if (closes(line, fence)) fence = null;
    } else if (line.trim() === "") {
      isAfterBlank = true;
    } else {
      const isItem = LIST_ITEM.test(line) && !RULE.test(line);
      const goesOn = INDENTED.test(line) || (isList && isItem);
      if (isAfterBlank && !goesOn && at > start) {
        blocks.push(text.slice(start, at));
        start = at;
        isList = false;
      }
      isList ||= isItem;
      isAfterBlank = false;
      fence = opens(line);
    }
    at = end;
  }
  if (start < text.length) blocks.push(text.slice(start));
  return blocks;
}

/** Splits a text that grows. Blocks that cannot change any more are not looked at again. */
export class BlockSplitter {
  #text = "";
  #blocks: readonly string[] = [];

  /** Return the blocks of `text`. */
  update(text: string): readonly string[] {
    if (text === this.#text) return this.#blocks;
    // The end of the last block may turn out to belong to the one before it.
    const settled = text.startsWith(this.#text) ? this.#blocks.slice(0, -2) : [];
    const length = settled.reduce((sum, block) => sum + block.length, 0);
    this.#blocks = [...settled, ...splitBlocks(text.slice(length))];
    this.#text = text;
    return this.#blocks;
  }
}

/** Return the link definitions of a text: they count in every block, wherever they stand. */
export function definitionsOf(text: string): string {
  if (!text.includes("]:")) return "";
  return [...text.matchAll(DEFINITION)].map((match) => match[0]).join("\n");
}

/** Return the depth of the highest heading in `blocks`, 1 if there is none. */
export function topHeadingOf(blocks: readonly string[]): number {
  let top = 7;
  for (const block of blocks) {
    if (!block.includes("#") || opens(block.split("\n", 1)[0] ?? "") !== null) continue;
    for (const [, marks] of block.matchAll(HEADING)) top = Math.min(top, marks?.length ?? 7);
  }
  return top === 7 ? 1 : top;
}

/** Tell whether a block of code is still open at the end of `block`. */
export function endsInCode(block: string): boolean {
  let fence: string | null = null;
  for (const line of block.split("\n")) {
    if (fence === null) fence = opens(line);
    else if (closes(line, fence)) fence = null;
  }
  return fence !== null;
}

function opens(line: string): string | null {
  const match = FENCE.exec(line);
  const fence = match?.[1];
  if (fence === undefined) return null;
  return fence.startsWith("`") && match?.[2]?.includes("`") === true ? null : fence;
}

function closes(line: string, fence: string): boolean {
  const mark = line.trim();
  return mark.length >= fence.length && mark === (fence[0] ?? "").repeat(mark.length);
}
