"""Ingests documents and finds passages in them."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.kit import tokens
from app.kit.clock import Clock
from app.knowledge import kinds, repository
from app.knowledge.errors import Unreadable
from app.knowledge.folder import Found, look, own_docs, read_bytes
from app.knowledge.glossary import Glossary
from app.knowledge.passages import split_document
from app.knowledge.query import understand
from app.knowledge.ranking import rank
from app.knowledge.repository import Known, NewDocument
from app.knowledge.types import CorpusSize, IngestReport, Passage, Remark
from app.settings import KnowledgeSettings
from app.storage.postgres import Postgres

MAX_RESULTS = 50
_SPARE = 4  # times as many are fetched as asked for: the ranking chooses among them

_FILES = "files"  # what operators ingest
_DOCS = "docs"  # the project's own

log = structlog.get_logger()


@dataclass(slots=True)
class _Work:
    """What an ingest has done so far."""

    started: float
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    passages: int = 0
    rejected: list[Remark] = field(default_factory=list)
    incomplete: list[Remark] = field(default_factory=list)

    def stored(self, document: NewDocument, before: Known | None, *, written: bool) -> None:
        if not written:
            self.unchanged += 1
            return
        (self.replaced if before else self.added).append(document.source)
        self.passages += len(document.pieces)

    def report(self, ignored: int, now: float) -> IngestReport:
        return IngestReport(
            added=tuple(self.added),
            replaced=tuple(self.replaced),
            removed=tuple(self.removed),
            unchanged=self.unchanged,
            ignored=ignored,
            passages=self.passages,
            rejected=tuple(self.rejected),
            incomplete=tuple(self.incomplete),
            seconds=now - self.started,
        )


class KnowledgeService:
    """The corpus: one for the whole installation, the same for every user."""

    def __init__(
        self,
        *,
        postgres: Postgres,
        settings: KnowledgeSettings,
        clock: Clock,
        glossary: Glossary | None = None,
    ) -> None:
        self._postgres = postgres
        self._settings = settings
        self._clock = clock
        self._glossary = glossary or Glossary.load()

    async def ingest(self, path: Path) -> IngestReport:
        """Bring the corpus up to date with a file, or with all files below a folder.

        Markdown, text, HTML and PDF. Unchanged files cost a read; a changed one is replaced
        in one transaction; one that is gone is taken out, also when ``path`` itself is. A
        file that cannot be read is in the report with its reason; it stops nothing, and its
        earlier version stays.

        Raises:
            Unavailable: Postgres does not answer. Files before that are stored; asking
                again goes on from there.
        """
        work = _Work(self._clock.monotonic())
        listing = await asyncio.to_thread(look, path)
        async with self._postgres.statement() as db:
            stored = await repository.list_at(db, _FILES, listing.location)
        known = {document.location: document for document in stored}
        work.rejected.extend(listing.remarks)
        if not listing.exists and not known and not listing.remarks:
            work.rejected.append(Remark(str(path), "does not exist"))

        for file in listing.files:
            before = known.pop(file.location, None)
            document = await self._prepare(file, _FILES, before, work)
            if document is not None:
                async with self._postgres.unit() as db:
                    written = await repository.put(db, document)
                work.stored(document, before, written=written)

        gone = [document for document in known.values() if not listing.may_hold(document.location)]
        async with self._postgres.unit() as db:
            await repository.remove(db, [document.id for document in gone])
        work.removed.extend(document.source for document in gone)
        return self._end(work, listing.ignored)

    async def ingest_default(self, folder: Path) -> IngestReport:
        """Bring the project's own documents in ``folder`` into the corpus.

        That is README.md and docs/*.md. They come into an empty corpus, and are kept up to
        date from then on; one that has only an operator's files is left alone. Nodes that
        start together take turns. When nothing changed: one statement and a read of the
        files.

        Raises:
            Unavailable: Postgres does not answer; nothing was stored.
        """
        work = _Work(self._clock.monotonic())
        files = await asyncio.to_thread(own_docs, folder)
        async with self._postgres.statement() as db:
            stored = await repository.list_collection(db, _DOCS)
            is_ours = bool(stored) or not (await repository.size(db, tokens.VERSION)).documents
        if not files or not is_ours:
            return self._end(work)
        known = {document.location: document for document in stored}
        documents: list[tuple[Known | None, NewDocument]] = []
        for file in files:
            before = known.get(file.location)
            document = await self._prepare(file, _DOCS, before, work)
            if document is not None:
                documents.append((before, document))
        names = {file.location for file in files}
        if documents or known.keys() - names:
            async with self._postgres.unit() as db:
                await repository.lock(db)
                for before, document in documents:
                    work.stored(document, before, written=await repository.put(db, document))
                gone = [
                    document
                    for document in await repository.list_collection(db, _DOCS)
                    if document.location not in names
                ]
                await repository.remove(db, [document.id for document in gone])
            work.removed.extend(document.source for document in gone)
        return self._end(work)

    async def search(self, query: str, *, limit: int) -> list[Passage]:
        """Return up to ``limit`` passages (at most 50) for a question, the best first.

        ``coverage`` tells whether there is an answer at all: of a question about something
        else, little is covered. Words of the glossary are looked for in every language it
        has. A question without words finds nothing. One round trip.

        Raises:
            Unavailable: Postgres does not answer.
        """
        limit = min(limit, MAX_RESULTS)
        question = understand(query, self._glossary)
        if limit < 1 or not question.tokens:
            return []
        async with self._postgres.statement() as db:
            found = await repository.search(db, question, _SPARE * limit)
        return rank(found, question, limit)

    async def count(self) -> CorpusSize:
        """Return how much there is, and how much needs to be ingested again."""
        async with self._postgres.statement() as db:
            return await repository.size(db, tokens.VERSION)

    async def _prepare(
        self, file: Found, collection: str, before: Known | None, work: _Work
    ) -> NewDocument | None:
        try:
            document, gaps = await asyncio.to_thread(self._read, file, collection, before)
        except Unreadable as error:
            kept = "; its earlier version is kept" if before else ""
            work.rejected.append(Remark(file.source, f"{error.message}{kept}"))
            return None
        work.incomplete.extend(Remark(file.source, gap) for gap in gaps)
        work.unchanged += document is None
        return document

    def _read(
        self, file: Found, collection: str, before: Known | None
    ) -> tuple[NewDocument | None, tuple[str, ...]]:
        """Read and cut a file; None if it is as it was ``before``. Blocking."""
        data = read_bytes(file.path, self._settings.file_bytes)
        chars = self._settings.chunk_chars
        shape = f"{kinds.VERSION}/{tokens.VERSION}/{chars}/{file.path.suffix.lower()}/"
        fingerprint = hashlib.sha256(shape.encode() + data).digest()
        if before is not None and before.fingerprint == fingerprint:
            return None, ()
        # The parsers take half a second to import, and most starts find nothing changed.
        from app.knowledge import reader  # noqa: PLC0415

        document = reader.read_document(data, file.path.name)
        stored = NewDocument(
            collection=collection,
            location=file.location,
            source=file.source,
            title=document.title,
            url=document.url,
            fingerprint=fingerprint,
            token_version=tokens.VERSION,
            pieces=tuple(split_document(document, chars)),
        )
        return stored, document.gaps

    def _end(self, work: _Work, ignored: int = 0) -> IngestReport:
        report = work.report(ignored, self._clock.monotonic())
        if report.added or report.replaced or report.removed or report.rejected:
            log.info(
                "documents_ingested",
                added=len(report.added),
                replaced=len(report.replaced),
                removed=len(report.removed),
                rejected=len(report.rejected),
                passages=report.passages,
                seconds=round(report.seconds, 3),
            )
        return report
