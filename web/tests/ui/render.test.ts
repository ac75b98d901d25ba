// @vitest-environment jsdom
import { describe, expect, test } from "vitest";

import { enhance } from "../../src/ui/markdown/enhance";
import { renderBlock, safeAddress, sanitize } from "../../src/ui/markdown/render";

const rendered = (text: string, definitions = ""): HTMLElement => {
  const box = document.createElement("div");
  box.append(renderBlock(text, { definitions }));
  return box;
};

describe("what a model writes cannot act", () => {
  test.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)></svg>",
    "<iframe src=https://evil.example></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "<style>*{display:none}</style>",
    "<p style='position:fixed'>x</p>",
    "<form action=https://evil.example><input name=q></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<b id=x class=cite onclick=alert(1)>x</b>",
    "![x](https://evil.example/?secret)",
    "`<img src=x onerror=alert(1)>`",
    "> <object data=x></object>",
  ])("%s", (text) => {
    const box = rendered(text);
    const forbidden =
      "script,img,svg,iframe,style,form,input,object,math,[style],[id],[onerror],[onclick],[onload],.cite";
    expect(box.querySelectorAll(forbidden)).toHaveLength(0);
    for (const link of box.querySelectorAll("a")) {
      expect(link.getAttribute("href") ?? "https://").toMatch(/^https?:\/\//);
    }
  });

  test("the second fence stands when the first is passed", () => {
    const box = document.createElement("div");
    box.append(sanitize('<p onclick="x" style="x" id="y">a<script>b</script></p><img src="x">'));
    expect(box.innerHTML).toBe("<p>a</p>");
  });
});

test("links open elsewhere and tell nobody where from", () => {
  const link = rendered("[there](https://example.org)").querySelector("a");
  expect(link?.target).toBe("_blank");
  expect(link?.rel).toBe("noopener noreferrer nofollow");
});

test("a picture becomes a link: looking at it would tell its server", () => {
  const box = rendered("![a chart](https://example.org/c.png)");
  expect(box.querySelector("img")).toBeNull();
  expect(box.querySelector("a")?.textContent).toBe("a chart");
});

test("html that was typed is shown as it was typed, but for a few harmless tags", () => {
  expect(rendered("use <div> here").textContent).toBe("use <div> here\n");
  expect(rendered("a<br>b H<sub>2</sub>O").innerHTML).toBe("<p>a<br>b H<sub>2</sub>O</p>\n");
});

test("headings stand below those of the page, with no level left out", () => {
  expect(rendered("# one").innerHTML).toBe("<h3>one</h3>\n");
  expect(rendered("###### six").innerHTML).toBe("<h6>six</h6>\n");
  const box = document.createElement("div");
  for (const text of ["### first", "#### second"]) box.append(renderBlock(text, { topHeading: 3 }));
  expect([...box.children].map((heading) => heading.localName)).toEqual(["h3", "h4"]);
});

test("a link definition from another block counts", () => {
  const link = rendered("see [it][x]", "[x]: https://example.org").querySelector("a");
  expect(link?.getAttribute("href")).toBe("https://example.org");
});

test("only addresses of the web and of this server are followed", () => {
  expect(safeAddress("https://example.org/a")).toBe("https://example.org/a");
  expect(safeAddress("/docs/resume")).toBe("/docs/resume");
  for (const bad of ["//evil.example", "/\\evil.example", "javascript:x", "docs/a.md", "", null]) {
    expect(safeAddress(bad)).toBeNull();
  }
});

describe("on top", () => {
  const citations = [{ n: 1, title: 'A "title"', source: "a.md" }];
  const enhanced = (text: string): HTMLElement => {
    const fragment = renderBlock(text);
    enhance(fragment, citations);
    const box = document.createElement("div");
    box.append(fragment);
    return box;
  };

  test("a number in brackets leads to its source, if there is one", () => {
    const box = enhanced("So it is [1], not [2] or `a[1]`.");
    const links = box.querySelectorAll("a.cite");
    expect(links).toHaveLength(1);
    expect(links[0]?.getAttribute("aria-label")).toBe('Source 1: A "title"');
    expect(box.textContent.trim()).toBe("So it is 1, not [2] or a[1].");
  });

  test("code can be copied and reached by keyboard", () => {
    const box = enhanced("```python\nx = 1\n```");
    expect(box.querySelector(".code-bar span")?.textContent).toBe("python");
    expect(box.querySelector("pre")?.tabIndex).toBe(0);
    expect(box.querySelector("pre")?.getAttribute("aria-label")).toBe("Code, python");
  });

  test("a wide table scrolls by itself", () => {
    expect(enhanced("|a|\n|-|\n|1|").querySelector(".table > table")).not.toBeNull();
  });
});
