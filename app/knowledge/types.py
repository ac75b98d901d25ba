"""What other rooms see of documents."""

from dataclasses import dataclass

TITLE_SEPARATOR = " › "


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that was found for a question."""

    title: str  # the document's title and the headings above the piece: "Protocol › Close codes"
    source: str  # its file, with anchor or page: "docs/protocol.md#close-codes", "a.pdf#page=3"
    url: str | None  # its public address, if the document names one
    text: str  # as it stands in the document; Markdown stays Markdown
    score: float  # 0 to 1: its BM25 score as a share of the most that the question could give
    coverage: float  # 0 to 1: share of the question's words found in it, rare ones counting more


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a file, or a part of it, is not in the corpus."""

    source: str
    reason: str  # the end of a sentence that begins with the source: "is empty"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. Names are relative to the ingested folder."""

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    ignored: int = 0  # files of kinds that hold no text: images, archives, code
    passages: int = 0  # written by this ingest
    rejected: tuple[Remark, ...] = ()  # not read; an earlier version stays in the corpus
    incomplete: tuple[Remark, ...] = ()  # read, but not whole
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not self.rejected and not self.incomplete


@dataclass(frozen=True, slots=True)
class CorpusSize:
    documents: int
    passages: int
    stale: int  # documents of an older tokeniser: to be ingested again
