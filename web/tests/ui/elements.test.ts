// @vitest-environment jsdom
import { LitElement } from "lit";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Run } from "../../src/client/state";
import { NEW_RUN } from "../../src/client/state";
import type { ComposerElement } from "../../src/ui/parts/composer";
import "../../src/ui/parts/composer";
import type { MarkdownElement } from "../../src/ui/parts/markdown";
import "../../src/ui/parts/markdown";
import type { RailElement } from "../../src/ui/parts/rail";
import "../../src/ui/parts/rail";
import type { TurnElement } from "../../src/ui/parts/turn";
import "../../src/ui/parts/turn";
import { NEW_MESSAGE } from "../../src/client/state";

beforeEach(() => {
  vi.stubGlobal("CSS", { supports: () => true });
});

afterEach(() => {
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function show<T extends LitElement>(name: string, fields: Partial<T>): Promise<T> {
  const element = Object.assign(document.createElement(name), fields) as unknown as T;
  document.body.append(element);
  await element.updateComplete;
  return element;
}

const inside = (element: LitElement, selector: string): HTMLElement[] => [
  ...element.renderRoot.querySelectorAll<HTMLElement>(selector),
];

describe("markdown that grows", () => {
  const blocks = (element: MarkdownElement): HTMLElement[] => inside(element, ".block");

  test("draws only the last block again", async () => {
    const element = await show<MarkdownElement>("colloquy-markdown", {
      text: "# Title\n\nfirst\n\nsec",
      streaming: true,
    });
    const before = blocks(element).map((block) => block.firstChild);
    element.text = "# Title\n\nfirst\n\nsecond **part**\n\nthird";
    await element.updateComplete;
    const after = blocks(element).map((block) => block.firstChild);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(blocks(element).map((block) => block.textContent.trim())).toEqual([
      "Title",
      "first",
      "second part",
      "third",
    ]);
  });

  test("draws only blocks with brackets again when the sources come", async () => {
    const text = "plain\n\nproved [1]";
    const element = await show<MarkdownElement>("colloquy-markdown", { text, streaming: true });
    const plain = blocks(element)[0]?.firstChild;
    element.citations = [{ n: 1, title: "T", source: "s" }];
    element.streaming = false;
    await element.updateComplete;
    expect(blocks(element)[0]?.firstChild).toBe(plain);
    expect(inside(element, "a.cite")).toHaveLength(1);
  });

  test("forgets what was replaced", async () => {
    const element = await show<MarkdownElement>("colloquy-markdown", { text: "a\n\nb\n\nc" });
    element.text = "new";
    await element.updateComplete;
    expect(blocks(element).map((block) => block.textContent.trim())).toEqual(["new"]);
  });

  test("asks for a source when its number is followed", async () => {
    const element = await show<MarkdownElement>("colloquy-markdown", {
      text: "so [2]",
      citations: [{ n: 2, title: "T", source: "s" }],
    });
    const asked: number[] = [];
    element.addEventListener("colloquy-cite", (event) => {
      asked.push((event as CustomEvent<number>).detail);
    });
    inside(element, "a.cite")[0]?.click();
    expect(asked).toEqual([2]);
  });

  test("colours code once it is closed", async () => {
    const element = await show<MarkdownElement>("colloquy-markdown", {
      text: "```python\nreturn 1",
      streaming: true,
    });
    expect(inside(element, ".hljs-keyword")).toHaveLength(0);
    element.text = "```python\nreturn 1\n```\n";
    await element.updateComplete;
    await vi.waitFor(() => expect(inside(element, ".hljs-keyword")).toHaveLength(1));
    expect(inside(element, "code")[0]?.textContent).toBe("return 1\n");
  });
});

describe("the message field", () => {
  async function field(fields: Partial<ComposerElement>): Promise<{
    composer: ComposerElement;
    area: HTMLTextAreaElement;
    sent: string[];
    press: (init: KeyboardEventInit) => KeyboardEvent;
  }> {
    const composer = await show<ComposerElement>("colloquy-composer", fields);
    const area = inside(composer, "textarea")[0] as HTMLTextAreaElement;
    const sent: string[] = [];
    composer.addEventListener("colloquy-send", (event) => {
      sent.push((event as CustomEvent<string>).detail);
    });
    const press = (init: KeyboardEventInit): KeyboardEvent => {
      const event = new KeyboardEvent("keydown", { key: "Enter", cancelable: true, ...init });
      area.dispatchEvent(event);
      return event;
    };
    return { composer, area, sent, press };
  }

  test("sends with Enter, without the blanks around, and is empty at once", async () => {
    const { composer, area, sent, press } = await field({ draft: "  hello \n" });
    press({});
    await composer.updateComplete;
    expect(sent).toEqual(["hello"]);
    expect(area.value).toBe("");
  });

  test("breaks the line with Shift+Enter", async () => {
    const { sent, press } = await field({ draft: "hello" });
    expect(press({ shiftKey: true }).defaultPrevented).toBe(false);
    expect(sent).toEqual([]);
  });

  test("leaves Enter to a Korean syllable that is being put together", async () => {
    const { sent, press } = await field({ draft: "안녕" });
    press({ isComposing: true });
    // Safari's word for the same.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    press({ keyCode: 229 });
    expect(sent).toEqual([]);
    press({});
    expect(sent).toEqual(["안녕"]);
  });

  test("sends no blanks and nothing too long, counted as the server counts", async () => {
    const { composer, sent, press } = await field({ draft: " \n ", limit: 3 });
    press({});
    composer.draft = "👍👍👍";
    await composer.updateComplete;
    expect(inside(composer, ".over")).toHaveLength(0);
    composer.draft = "👍👍👍👍";
    await composer.updateComplete;
    expect(inside(composer, ".over")[0]?.textContent).toBe("1 character too long");
    press({});
    expect(sent).toEqual([]);
  });

  test("offers to stop while busy, and to send if there is something to send", async () => {
    const { composer } = await field({ draft: "", isBusy: true });
    const buttons = (): (string | null)[] =>
      inside(composer, "button").map((button) => button.getAttribute("aria-label"));
    expect(buttons()).toEqual(["Stop"]);
    composer.draft = "next";
    await composer.updateComplete;
    expect(buttons()).toEqual(["Stop", "Send"]);
  });
});

describe("the progress rail", () => {
  const running: Run = { ...NEW_RUN, id: "r", status: "running", phase: "teams", attempt: 1 };
  const withTeam: Run = {
    ...running,
    memory: { status: "anonymous", count: 0, memories: [] },
  };
  const isOpen = (rail: RailElement): string | null | undefined =>
    inside(rail, ".line")[0]?.getAttribute("aria-expanded");

  test("opens for work that takes a while, and folds when the answer begins", async () => {
    vi.useFakeTimers();
    const rail = await show<RailElement>("colloquy-rail", { run: withTeam });
    expect(isOpen(rail)).toBe("false");
    vi.advanceTimersByTime(400);
    await rail.updateComplete;
    expect(isOpen(rail)).toBe("true");
    rail.run = { ...withTeam, phase: "answering" };
    await rail.updateComplete;
    expect(isOpen(rail)).toBe("false");
  });

  test("stays as the person wants it", async () => {
    const rail = await show<RailElement>("colloquy-rail", { run: withTeam });
    inside(rail, ".line")[0]?.click();
    await rail.updateComplete;
    rail.run = { ...withTeam, phase: "answering" };
    await rail.updateComplete;
    expect(isOpen(rail)).toBe("true");
    rail.run = { ...withTeam, status: "completed", seconds: 2 };
    await rail.updateComplete;
    expect(isOpen(rail)).toBe("true");
  });

  test("stays open on a failure", async () => {
    const failed: Run = { ...withTeam, status: "failed" };
    expect(isOpen(await show<RailElement>("colloquy-rail", { run: failed }))).toBe("true");
  });
});

describe("a turn", () => {
  const question = { ...NEW_MESSAGE, id: "q", role: "user" as const, text: "why?" };
  const asked = async (turn: TurnElement["turn"]): Promise<{ text: string; again: string[] }> => {
    const element = await show<TurnElement>("colloquy-turn", { turn });
    const again: string[] = [];
    element.addEventListener("colloquy-ask", (event) => {
      again.push((event as CustomEvent<string>).detail);
    });
    inside(element, ".failure .link, .silence .link")[0]?.click();
    const note = inside(element, ".failure span, .silence span, .note")[0];
    return { text: note?.textContent ?? "", again };
  };

  test("that failed says why, and can be asked again", async () => {
    const error = { code: "run_timeout", message: "Server words.", isRetryable: true };
    const run: Run = { ...NEW_RUN, id: "r", status: "failed", error };
    expect(await asked({ key: "r", question, run, answers: [] })).toEqual({
      text: "The answer took too long. You can ask again.",
      again: ["why?"],
    });
  });

  test("whose failure is unknown to the page shows the server's own words", async () => {
    const error = { code: "from_the_future", message: "Server words.", isRetryable: false };
    const run: Run = { ...NEW_RUN, id: "r", status: "failed", error };
    expect(await asked({ key: "r", question, run, answers: [] })).toEqual({
      text: "Server words. Asking in another way may help.",
      again: [],
    });
  });

  test("that ended without a word before this page was opened says so", async () => {
    expect(await asked({ key: "r", question, run: null, answers: [] })).toEqual({
      text: "No answer was written.",
      again: ["why?"],
    });
  });

  test("that was stopped keeps its words and says so", async () => {
    const answer = { ...NEW_MESSAGE, id: "a", role: "assistant" as const, text: "half" };
    const turn = {
      key: "r",
      question,
      run: null,
      answers: [{ ...answer, status: "stopped" as const }],
    };
    expect((await asked(turn)).text).toBe("Stopped. What was written so far is kept.");
  });
});
