"""PDF files: pages, and the ways in which they are bad."""

import pytest

from app.knowledge.errors import Unreadable
from app.knowledge.pdf import read_pdf
from tests.knowledge.pdf_files import locked, pdf_of


def test_each_page_is_a_section_that_can_be_addressed() -> None:
    document = read_pdf(pdf_of("The first page.", "The second (page).", title="Manual"), "f")
    assert document.title == "Manual"
    assert [(section.path, section.anchor) for section in document.sections] == [
        (("Manual",), "page=1"),
        (("Manual",), "page=2"),
    ]
    assert document.sections[1].blocks[0].text == "The second (page)."


def test_lines_of_a_paragraph_are_joined_and_words_made_whole() -> None:
    text = (
        "Every event carries an offset, and the con-\nnection is resumed from the last one\nseen."
    )
    document = read_pdf(pdf_of(text), "f")
    assert document.sections[0].blocks[0].text == (
        "Every event carries an offset, and the connection is resumed from the last one seen."
    )


def test_a_file_without_title_is_named_after_itself() -> None:
    assert read_pdf(pdf_of("text"), "scan-7").title == "scan-7"


def test_a_file_locked_against_changes_only_is_read() -> None:
    assert read_pdf(locked(pdf_of("readable"), ""), "f").sections[0].blocks[0].text == "readable"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (locked(pdf_of("text"), "secret"), "is encrypted with a password"),
        (pdf_of("text")[:150], "it may be damaged"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "it may be damaged"),
        (pdf_of("", ""), "holds no text; it may be a scan"),
    ],
    ids=["locked", "cut", "rubbish", "empty"],
)
def test_a_bad_file_gives_one_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_pdf(data, "f")


def test_a_broken_page_costs_only_itself() -> None:
    data = pdf_of("good page", "bad page")
    broken = data.replace(b"/Contents 6 0 R", b"/Contents [1 ]")
    document = read_pdf(broken, "f")
    assert [section.anchor for section in document.sections] == ["page=1"]
