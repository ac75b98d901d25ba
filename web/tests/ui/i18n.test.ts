import { afterAll, describe, expect, test } from "vitest";

import english from "../../src/ui/i18n/en.json";
import { ago, loadLanguage, named, pickLanguage, t, tn } from "../../src/ui/i18n/translate";

const languages = import.meta.glob<Record<string, string>>("../../src/ui/i18n/*.json", {
  eager: true,
  import: "default",
});
const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

afterAll(() => loadLanguage(["en"]));

describe.each(Object.entries(languages))("%s", (_path, words) => {
  test("has every key, and no other", () => {
    expect(Object.keys(words).sort()).toEqual(Object.keys(english).sort());
  });

  test("says something for each, with the same places to fill", () => {
    for (const [key, text] of Object.entries(english)) {
      expect(words[key]?.trim(), key).toBeTruthy();
      expect(places(words[key] ?? ""), key).toEqual(places(text));
    }
  });

  test("has a word for one wherever it has one for many", () => {
    const many = Object.keys(words).filter((key) => key.endsWith(".other"));
    for (const key of many) expect(words).toHaveProperty([key.replace(/other$/, "one")]);
  });
});

test("the first wanted language that there is", () => {
  expect(pickLanguage(["fr-FR", "ko-KR", "en"], ["ko"])).toBe("ko");
  expect(pickLanguage(["en-GB", "ko"], ["ko"])).toBe("en");
  expect(pickLanguage(["fr"], ["ko"])).toBe("en");
  expect(pickLanguage([], ["ko"])).toBe("en");
});

test("words are filled in, and counted as the language counts", async () => {
  await loadLanguage(["en"]);
  expect(t("rail.seconds", { n: 3 })).toBe("3\u00a0s");
  expect([tn("memory.ok", 1), tn("memory.ok", 2)]).toEqual(["1 memory used", "2 memories used"]);
  await loadLanguage(["ko-KR"]);
  expect([tn("memory.ok", 1), tn("memory.ok", 2)]).toEqual([
    "기억 1개를 참고했습니다",
    "기억 2개를 참고했습니다",
  ]);
  expect(named("team", "search", "x")).toBe("검색");
  expect(named("team", "unheard_of", "x")).toBe("x");
});

test("times are told as people tell them", async () => {
  await loadLanguage(["en"]);
  const now = Date.parse("2026-03-10T12:00:00Z");
  expect(ago("2026-03-10T11:59:50Z", now)).toBe("now");
  expect(ago("2026-03-10T11:45:00Z", now)).toBe("15 min. ago");
  expect(ago("2026-03-09T12:00:00Z", now)).toBe("yesterday");
  expect(ago("2025-12-24T12:00:00Z", now)).toContain("2025");
  // The server's clock is ahead of ours.
  expect(ago("2026-03-10T12:09:00Z", now)).toBe("now");
  expect(ago("not a time", now)).toBe("");
});
