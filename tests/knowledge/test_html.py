"""HTML: what a reader sees of a page."""

import time

import pytest

from app.knowledge.document import Block
from app.knowledge.html import read_html

_PAGE = """<!doctype html>
<html><head><title>The  manual</title><style>p { color: red }</style>
<link rel="canonical" href="https://example.org/manual"></head>
<body><nav><a href="/">Home</a> Menu</nav><script>let x = 1</script>
<main>
<h1>The manual</h1><p>Hello <b>wor</b>ld,<br>and more.</p>
<section id="resume"><h2>Resume<a class="headerlink" href="#resume">¶</a></h2>
<ul><li>one<li><p>two</p></ul><!-- hidden -->
<pre>a
  b</pre>
<h3 id="codes">Codes</h3>
<table><tr><th>code</th><th>means</th></tr><tr><td>4004</td><td>gone | away</td></tr></table>
</section>
</main><footer>Imprint</footer></body></html>"""


def test_a_page_becomes_sections_without_scripts_and_navigation() -> None:
    document = read_html(_PAGE, "f")
    assert (document.title, document.url) == ("The manual", "https://example.org/manual")
    assert [(section.path, section.anchor, section.blocks) for section in document.sections] == [
        (("The manual",), None, (Block("prose", "Hello world, and more."),)),
        (
            ("The manual", "Resume"),
            "resume",
            (Block("list", "- one\n- two"), Block("code", "```\na\n  b\n```")),
        ),
        (
            ("The manual", "Resume", "Codes"),
            "codes",
            (
                Block(
                    "table",
                    "| code | means |\n| --- | --- |\n| 4004 | gone \\| away |",
                ),
            ),
        ),
    ]


def test_a_page_without_title_is_named_after_its_heading_or_its_file() -> None:
    assert read_html("<h2>Only</h2><p>text", "f").title == "Only"
    assert read_html("<p>text", "f").title == "f"


def test_a_table_that_arranges_the_page_is_not_data() -> None:
    document = read_html("<table><tr><td><h2>Left</h2>text</td><td><ul><li>x</ul>", "f")
    assert document.sections[0].path == ("Left",)
    assert [block.kind for block in document.sections[0].blocks] == ["prose", "list"]


def test_only_web_addresses_count_as_the_document_s_own() -> None:
    assert read_html('<link rel=canonical href="javascript:alert(1)"><p>x', "f").url is None


def test_words_of_neighbouring_blocks_stay_apart() -> None:
    blocks = read_html("<div>one<div>two</div>three</div>", "f").sections[0].blocks
    assert [block.text for block in blocks] == ["one", "two", "three"]


def test_deep_nesting_is_survived() -> None:
    document = read_html("<div>" * 20_000 + "deep" + "</div>" * 20_000, "f")
    assert document.sections[0].blocks == (Block("prose", "deep"),)


def test_broken_markup_and_strange_characters_are_survived() -> None:
    document = read_html("<p>a&#0;b&#xD800;c<<p <b>x</p></b></div>&nbsp;&bogus;", "f")
    assert "\0" not in document.sections[0].blocks[0].text
    document.sections[0].blocks[0].text.encode()


@pytest.mark.parametrize(
    "text",
    ["<", "<a ", "<a x='", "<!--", "<![CDATA[", "</", "<?", "&", "<table><td>", "<h1>", "<p>"],
)
def test_what_never_ends_takes_linear_time(text: str) -> None:
    started = time.perf_counter()
    read_html(text * (200_000 // len(text)), "f")
    assert time.perf_counter() - started < 10  # seconds; the square takes minutes


def test_text_after_the_last_tag_is_kept() -> None:
    (section,) = read_html("<p>one</p> 2 < 3 and the end", "f").sections
    assert [block.text for block in section.blocks] == ["one", "2 < 3 and the end"]
