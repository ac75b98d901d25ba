"""Bytes to clean text: encodings, and characters that no store wants."""

import codecs

from app.knowledge.errors import Unreadable

_SAMPLE_BYTES = 65_536
_CONTROL_SHARE = 0.03  # above it, a file is not text; one stray NUL is forgiven
_TEXT_BYTES = bytes([0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D, 0x1B, *range(0x20, 0x100)])
_MARKS = (  # the longer one first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CLEAN = {
    **dict.fromkeys(range(0x20), " "),
    **dict.fromkeys(range(0xD800, 0xE000), None),
    0x00: None,
    0x09: "\t",
    0x0A: "\n",
    0x7F: None,
    0xFEFF: None,
}


def decode(data: bytes, declared: str | None = None) -> str:
    """Return ``data`` as clean text: UTF-8, UTF-16 and UTF-32 with their marks, or the
    encoding that the document itself ``declared``.

    Raises:
        Unreadable: not text at all, or text in another encoding.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        sample = data[:_SAMPLE_BYTES]
        if len(sample.translate(None, _TEXT_BYTES)) > _CONTROL_SHARE * len(sample):
            raise Unreadable("is not text")
        encoding = declared or "utf-8"
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise Unreadable(f"says that its encoding is {encoding!r}, which is unknown") from error
    except UnicodeError as error:
        name = encoding.removesuffix("-sig").upper()
        place = f" (see byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise Unreadable(f"is not {name} text{place}; save it as UTF-8") from error
    return clean(text)


def clean(text: str) -> str:
    """Return ``text`` without NUL, lone surrogates and control characters, its lines
    ending in a newline alone.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEAN)
