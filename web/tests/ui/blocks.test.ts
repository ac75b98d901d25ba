import fc from "fast-check";
import { Marked } from "marked";
import { describe, expect, test } from "vitest";

import {
  BlockSplitter,
  definitionsOf,
  endsInCode,
  splitBlocks,
  topHeadingOf,
} from "../../src/ui/markdown/blocks";

const marked = new Marked({ gfm: true });
const html = (text: string): string =>
  marked.parse(text, { async: false }).replace(/\n+/g, "\n").trim();

const PIECES = [
  "A paragraph\nof two lines.",
  "# A heading",
  "- one\n- two",
  "- loose\n\n- list\n\n  with a second paragraph",
  "1. first\n\n   ```sh\n   ls\n\n   pwd\n   ```\n\n2. second",
  "```python\nx = 1\n\n\ny = 2\n```",
  "~~~\n```\n\nnot the end\n~~~",
  "````md\n```\n\ninner\n```\n````",
  "> quoted\n> text",
  "| a | b |\n|---|---|\n| 1 | 2 |",
  "* * *",
  "text with `code` and **bold**",
  "한국어 문단입니다.",
];
const document = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((parts) => {
  // Two lists, or code after a list, would be one block in markdown too: keep them apart.
  return parts.flatMap((part, at) => (at === 0 ? [part] : ["apart", part])).join("\n\n");
});

describe("for every text", () => {
  test("the blocks joined are the text again", () => {
    fc.assert(
      fc.property(fc.oneof(document, fc.string(), fc.string({ unit: "grapheme" })), (text) => {
        expect(splitBlocks(text).join("")).toBe(text);
      }),
    );
  });

  test("a text that grows gives the same blocks as one that is there at once", () => {
    fc.assert(
      fc.property(document, fc.array(fc.integer({ min: 1, max: 30 })), (text, widths) => {
        const splitter = new BlockSplitter();
        let at = 0;
        for (const width of widths) {
          at = Math.min(text.length, at + width);
          expect(splitter.update(text.slice(0, at))).toEqual(splitBlocks(text.slice(0, at)));
        }
        expect(splitter.update(text)).toEqual(splitBlocks(text));
      }),
    );
  });

  test("rendered one by one, blocks look like the whole", () => {
    fc.assert(
      fc.property(document, (text) => {
        const apart = splitBlocks(text).map(html).filter(Boolean).join("\n");
        expect(apart).toBe(html(text));
      }),
    );
  });
});

test("paragraphs are blocks of their own", () => {
  expect(splitBlocks("one\n\ntwo\n\n\nthree")).toEqual(["one\n\n", "two\n\n\n", "three"]);
});

test("blank lines inside code, lists and indented parts do not cut", () => {
  for (const text of [PIECES[3], PIECES[4], PIECES[5], PIECES[6], PIECES[7]]) {
    expect(splitBlocks(text ?? "")).toHaveLength(1);
  }
});

test("code that is still open goes on to the end", () => {
  expect(splitBlocks("```js\na\n\nb")).toEqual(["```js\na\n\nb"]);
  expect(endsInCode("```js\na\n\nb")).toBe(true);
  expect(endsInCode("```js\na\n```\n")).toBe(false);
});

test("a text that is replaced starts anew", () => {
  const splitter = new BlockSplitter();
  splitter.update("one\n\ntwo\n\nthree");
  expect(splitter.update("other")).toEqual(["other"]);
  expect(splitter.update("")).toEqual([]);
});

test("link definitions are found wherever they stand", () => {
  expect(definitionsOf("see [x]\n\n[x]: https://example.org 'title'\n")).toBe(
    "[x]: https://example.org 'title'",
  );
  expect(definitionsOf("no [x] here")).toBe("");
});

test("the highest heading is found, and a comment in code is none", () => {
  expect(topHeadingOf(splitBlocks("text\n\n### a\n\n## b\n\n```sh\n# c\n```"))).toBe(2);
  expect(topHeadingOf(splitBlocks("text"))).toBe(1);
});
