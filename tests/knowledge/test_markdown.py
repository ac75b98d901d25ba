"""Markdown: titles, paths, anchors and blocks."""

from app.knowledge.document import Block, Section
from app.knowledge.markdown import read_markdown


def test_headings_give_each_section_its_path_and_anchor() -> None:
    document = read_markdown(
        "# Guide\n\nhello\n\n## Close codes\n\na\n\n### 4004\n\nb\n\n## End\nc\n", "f"
    )
    assert document.title == "Guide"
    assert [(section.path, section.anchor) for section in document.sections] == [
        (("Guide",), "guide"),
        (("Guide", "Close codes"), "close-codes"),
        (("Guide", "Close codes", "4004"), "4004"),
        (("Guide", "End"), "end"),
    ]


def test_text_before_any_heading_belongs_to_the_document() -> None:
    document = read_markdown("hello\n\n## First\n\nworld", "notes")
    assert document.title == "First"
    assert document.sections[0] == Section(("First",), None, (Block("prose", "hello"),))


def test_a_document_without_headings_is_named_after_its_file() -> None:
    document = read_markdown("just *text*", "notes")
    assert (document.title, document.sections[0].path) == ("notes", ("notes",))


def test_front_matter_names_the_document_and_is_not_text() -> None:
    document = read_markdown('---\ntitle: "The manual"\ntags: [x]\n---\n\n# One\n\ntext\n', "f")
    assert document.title == "The manual"
    assert document.sections[0].path == ("The manual", "One")
    assert [block.text for block in document.sections[0].blocks] == ["text"]


def test_anchors_are_made_as_github_makes_them() -> None:
    text = "# `hello` and *Snapshot*!\n\nx\n\n## 설정 값\n\ny\n\n## Same\n\nz\n\n## Same\n\nw"
    anchors = [section.anchor for section in read_markdown(text, "f").sections]
    assert anchors == ["hello-and-snapshot", "설정-값", "same", "same-1"]


def test_a_heading_loses_its_markup() -> None:
    document = read_markdown("# The [`chat`](x.md) *frame* &amp; more\n\ntext", "f")
    assert document.title == "The chat frame & more"


def test_headings_inside_code_and_quotes_are_text() -> None:
    document = read_markdown("# A\n\n```sh\n# not one\n```\n\n> # nor this\n", "f")
    assert len(document.sections) == 1
    assert [block.kind for block in document.sections[0].blocks] == ["code", "prose"]


def test_blocks_keep_their_source_and_their_kind() -> None:
    text = (
        "para\nmore\n\n- a\n  - b\n- c\n\n"
        "| x | y |\n|---|---|\n| 1 | 2 |\n\n    indented\n\n1. one\n"
    )
    blocks = read_markdown(text, "f").sections[0].blocks
    assert [(block.kind, block.text) for block in blocks] == [
        ("prose", "para\nmore"),
        ("list", "- a\n  - b\n- c"),
        ("table", "| x | y |\n|---|---|\n| 1 | 2 |"),
        ("code", "```\nindented\n```"),
        ("list", "1. one"),
    ]


def test_html_inside_markdown_is_read_and_comments_are_not() -> None:
    document = read_markdown(
        "<p align=center>\n<b>Bold</b> words\n</p>\n\n<!-- secret -->\n\nend", "f"
    )
    assert [block.text for block in document.sections[0].blocks] == ["Bold words", "end"]


def test_deep_nesting_is_survived() -> None:
    document = read_markdown("> " * 5_000 + "deep\n\n" + "- " * 2_000 + "deep\n\nend", "f")
    assert document.sections[0].blocks[-1].text.endswith("end")
