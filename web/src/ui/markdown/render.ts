/** Markdown to safe DOM. What a model writes is untrusted, so two fences stand in its way. */
import createDOMPurify from "dompurify";
import { Marked } from "marked";

const TAGS = [
  "a",
  "blockquote",
  "br",
  "code",
  "del",
  "em",
  "h3",
  "h4",
  "h5",
  "h6",
  "hr",
  "kbd",
  "li",
  "ol",
  "p",
  "pre",
  "span",
  "strong",
  "sub",
  "sup",
  "table",
  "tbody",
  "td",
  "th",
  "thead",
  "tr",
  "ul",
];
// The few tags that people and models write by hand; the rest is shown as it was typed.
const BY_HAND = /^<(?:br\s*\/?|\/?(?:sub|sup|kbd))>$/i;
const CLASS = /^(?:language-[\w+#.-]{1,30}|hljs-[\w -]{1,60})$/;

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => (BY_HAND.test(text.trim()) ? text : escapeHtml(text)),
    // A picture's address can carry away what the model knows, so it is a link that one may follow.
    image: ({ href, text }) =>
      `<a href="${escapeHtml(href)}">${escapeHtml(text === "" ? href : text)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    heading({ tokens, depth }) {
      // The page's own headings are above: a question is an h2. No level is left out below it,
      // with whatever mark the text begins.
      const level = Math.min(Math.max(3 + depth - topHeading, 3), 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
  },
});

// Read while a block is parsed, which is never interrupted.
let topHeading = 1;
let purify: ReturnType<typeof createDOMPurify> | null = null;

/** What a block must know of the whole text. */
export interface Whole {
  /** The link definitions. */
  readonly definitions: string;
  /** Depth of the highest heading, from 1. */
  readonly topHeading: number;
}

/** Render one block of a text. */
export function renderBlock(block: string, whole: Partial<Whole> = {}): DocumentFragment {
  const { definitions = "" } = whole;
  const source = definitions === "" ? block : `${block}\n\n${definitions}`;
  topHeading = whole.topHeading ?? 1;
  return sanitize(marked.parse(source, { async: false }));
}

/** Return `html` as DOM with nothing in it but known tags, classes and addresses. */
export function sanitize(html: string): DocumentFragment {
  purify ??= newPurify();
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "title", "class", "align", "start"],
    ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Return an address that is safe to follow, or null. */
export function safeAddress(address: string | null | undefined): string | null {
  if (address == null) return null;
  if (/^https?:\/\//i.test(address)) return address;
  // Of this server; two slashes, or a backslash, would be another's.
  return /^\/(?![/\\])/.test(address) ? address : null;
}

function newPurify(): ReturnType<typeof createDOMPurify> {
  const instance = createDOMPurify(window);
  instance.addHook("uponSanitizeAttribute", (_node, data) => {
    if (data.attrName === "class") data.keepAttr = CLASS.test(data.attrValue);
  });
  instance.addHook("afterSanitizeAttributes", (node) => {
    if (node.tagName !== "A" || !node.hasAttribute("href")) return;
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  });
  return instance;
}
