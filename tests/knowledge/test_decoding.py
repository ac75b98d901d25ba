"""Bytes that are text, and bytes that are not."""

import pytest

from app.knowledge.decoding import clean, decode
from app.knowledge.errors import Unreadable


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_text_is_read_in_each_of_its_encodings(encoding: str) -> None:
    assert decode("연결 ☂ text\n".encode(encoding)) == "연결 ☂ text\n"


def test_an_encoding_that_the_document_declares_is_used() -> None:
    assert decode("연결".encode("cp949"), "euc-kr") == "연결"


def test_text_in_another_encoding_is_refused_with_the_place() -> None:
    with pytest.raises(Unreadable, match=r"is not UTF-8 text \(see byte 5\); save it as UTF-8"):
        decode("text 연결".encode("cp949"))


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(Unreadable, match="'klingon', which is unknown"):
        decode(b"text", "klingon")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01",
        "utf-16 without its mark".encode("utf-16-le"),
        bytes(range(32)) * 10,
    ],
)
def test_what_is_not_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="is not text"):
        decode(data)


def test_a_stray_nul_is_dropped_and_the_text_kept() -> None:
    assert decode(b"one\0two " + b"x" * 100) == "onetwo " + "x" * 100


def test_clean_text_has_no_surrogates_and_no_control_characters() -> None:
    assert clean("a\ud800b\0c\x01d\r\ne\rf\tg\x7f") == "abc d\ne\nf\tg"
