/** Words of the page in the person's language. A language is one JSON file in this folder. */
import english from "./en.json";

export type Key = keyof typeof english;
/** Keys that come as `<name>.one` and `<name>.other`. */
export type PluralKey = Key extends infer K
  ? K extends `${infer Name}.other`
    ? Name
    : never
  : never;
type Words = Partial<Record<string, string>>;

const others = import.meta.glob<Words>(["./*.json", "!./en.json"], { import: "default" });

let words: Words = english;
let locale = "en";
let plurals = new Intl.PluralRules("en");

/** Return the first wanted language that there is a file for; English if none. */
export function pickLanguage(wanted: readonly string[], known: readonly string[]): string {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0] ?? "";
    if (language === "en" || known.includes(language)) return language;
  }
  return "en";
}

/** Load the language that the person prefers. Returns its tag. */
export async function loadLanguage(wanted: readonly string[]): Promise<string> {
  const files = new Map(
    Object.entries(others).map(([path, load]) => [path.replace(/^\.\/|\.json$/g, ""), load]),
  );
  const language = pickLanguage(wanted, [...files.keys()]);
  const loaded = await files
    .get(language)?.()
    // A page in English is better than none.
    .catch(() => null);
  words = loaded ?? english;
  locale = loaded == null ? "en" : language;
  plurals = new Intl.PluralRules(locale);
  return locale;
}

/** The language in use, for dates and numbers. */
export function currentLocale(): string {
  return locale;
}

/** Return the words for `key`, with `{name}` replaced. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(words[key] ?? english[key], values);
}

/** Return the words for a count. */
export function tn(key: PluralKey, n: number): string {
  const form = `${key}.${plurals.select(n) === "one" ? "one" : "other"}` as Key;
  return t(form, { n: formatNumber(n) });
}

/** Return the words for `prefix.name` if there are any, else `fallback`: names come from outside. */
export function named(prefix: string, name: string, fallback: string): string {
  const key = `${prefix}.${name}`;
  return words[key] ?? (english as Words)[key] ?? fallback;
}

export function formatNumber(n: number): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(n);
}

/** Return how long ago an instant was, in words. `iso` and `now` come from different clocks. */
export function ago(iso: string, now: number): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return "";
  const minutes = Math.min(0, Math.round((at - now) / 60_000));
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  if (minutes === 0) return relative.format(0, "second");
  if (minutes > -60) return relative.format(minutes, "minute");
  if (minutes > -60 * 24) return relative.format(Math.round(minutes / 60), "hour");
  if (minutes > -60 * 24 * 7) return relative.format(Math.round(minutes / 1440), "day");
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(at);
}

function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
