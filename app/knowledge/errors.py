"""Errors of the knowledge room."""

from app.kit.errors import AppError, Kind


class Unreadable(AppError):
    """A file cannot become passages; ``message`` says why, as the end of a sentence
    that begins with the file's name.
    """

    code = "unreadable_document"
    kind = Kind.INVALID


class BadGlossary(AppError):
    """A glossary file is not as ``app/knowledge/glossary.py`` describes it."""

    code = "bad_glossary"
    kind = Kind.INVALID
