"""Every statement of the knowledge room."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.tokens import tsquery_literal, tsvector_literal
from app.knowledge.passages import Piece
from app.knowledge.query import Question
from app.knowledge.types import CorpusSize, Passage

_INSERT_ROWS = 500  # passages of one statement: far from its time limit
_LOCK = 4_157_222  # any number; it must only be the same on every node

# Okapi BM25. A term's frequency saturates with K1; B is how much a long passage pays. Low,
# because passages are of about one length and short ones are mostly headings with a line.
_K1 = 1.2
_B = 0.4

# Less of an idea than this is chance: one of the pairs of a long Korean word.
_PART = 0.49


@dataclass(frozen=True, slots=True)
class Known:
    id: int
    location: str
    source: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document with all that is stored of it."""

    collection: str
    location: str
    source: str
    title: str
    url: str | None
    fingerprint: bytes
    token_version: int
    pieces: tuple[Piece, ...]


_LIST_AT = text(
    """
    SELECT id, location, source, fingerprint FROM documents
    WHERE collection = :collection
      AND (location = :location OR starts_with(location, :location || '/'))
    """
)

_LIST_COLLECTION = text(
    """
    SELECT id, location, source, fingerprint FROM documents WHERE collection = :collection
    """
)

# Of two writers of one document the second waits here, and finds it as it should be.
_PUT = text(
    """
    INSERT INTO documents AS d
        (collection, location, source, title, url, fingerprint, token_version,
         passage_count, token_count)
    VALUES
        (:collection, :location, :source, :title, :url, :fingerprint, :token_version,
         :passage_count, :token_count)
    ON CONFLICT (collection, location) DO UPDATE SET
        source = excluded.source, title = excluded.title, url = excluded.url,
        fingerprint = excluded.fingerprint, token_version = excluded.token_version,
        passage_count = excluded.passage_count, token_count = excluded.token_count,
        ingested_at = now()
    WHERE d.fingerprint <> excluded.fingerprint
    RETURNING d.id
    """
)

_DELETE_CHUNKS = text("DELETE FROM document_chunks WHERE document_id = :id")

_INSERT_CHUNKS = text(
    """
    INSERT INTO document_chunks (document_id, seq, title, anchor, text, lex, token_count)
    SELECT CAST(:id AS bigint), seq, title, anchor, text, lex::tsvector, token_count
    FROM unnest(CAST(:seqs AS int[]), CAST(:titles AS text[]), CAST(:anchors AS text[]),
                CAST(:texts AS text[]), CAST(:lexes AS text[]), CAST(:counts AS int[]))
        AS t(seq, title, anchor, text, lex, token_count)
    """
)

# In the order of their ids, so that two who remove the same cannot wait for each other.
_REMOVE = text(
    """
    DELETE FROM documents WHERE id IN (
        SELECT id FROM documents WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
    )
    """
)

_SIZE = text(
    """
    SELECT count(*), coalesce(sum(passage_count), 0),
           count(*) FILTER (WHERE token_version <> :token_version)
    FROM documents
    """
)

# Exact BM25. Each passage with any of the terms is a row of `hit` for each group it has, so
# counting them gives exact document frequencies; the corpus' size is added up from its
# documents, which are few. The two ts_delete leave of a vector what was asked for, without
# making rows of all its other lexemes: half the time of a plain unnest.
_SEARCH = text(
    """
    WITH setting AS (
        SELECT CAST(:k1 AS float8) AS k1, CAST(:b AS float8) AS b
    ),
    term AS MATERIALIZED (
        SELECT token, grp, weight
        FROM unnest(CAST(:tokens AS text[]), CAST(:groups AS int[]), CAST(:weights AS float8[]))
            AS t(token, grp, weight)
    ),
    corpus AS MATERIALIZED (
        SELECT sum(passage_count)::float8 AS passages,
               greatest(sum(token_count)::float8 / nullif(sum(passage_count), 0), 1) AS length
        FROM documents
    ),
    hit AS MATERIALIZED (
        SELECT c.id, c.token_count, term.grp,
               sum(term.weight * cardinality(l.positions)) AS frequency,
               least(sum(term.weight), 1) AS share
        FROM document_chunks c
        CROSS JOIN LATERAL unnest(
            ts_delete(c.lex, tsvector_to_array(ts_delete(c.lex, CAST(:tokens AS text[]))))
        ) l
        JOIN term ON term.token = l.lexeme
        WHERE c.lex @@ CAST(:query AS tsquery)
        GROUP BY c.id, c.token_count, term.grp
        HAVING sum(term.weight) > CAST(:part AS float8)
    ),
    idea AS MATERIALIZED (
        SELECT grp, ln(1 + (passages - found + 0.5) / (found + 0.5)) AS idf
        FROM (
            SELECT asked.grp, count(hit.id) AS found
            FROM (SELECT DISTINCT grp FROM term) asked LEFT JOIN hit ON hit.grp = asked.grp
            GROUP BY asked.grp
        ) counted
        CROSS JOIN corpus
    ),
    best AS (
        SELECT hit.id,
               sum(idf * frequency / (frequency + k1 * (1 - b + b * token_count / length)))
                   AS score,
               sum(idf * share) AS covered
        FROM hit JOIN idea ON idea.grp = hit.grp CROSS JOIN corpus CROSS JOIN setting
        GROUP BY hit.id
        ORDER BY score DESC, hit.id
        LIMIT :limit
    ),
    most AS (SELECT sum(idf) AS idf FROM idea)
    SELECT c.title, d.source, d.url, c.anchor, c.text,
           best.score / most.idf AS score, best.covered / most.idf AS coverage
    FROM best
    JOIN document_chunks c ON c.id = best.id
    JOIN documents d ON d.id = c.document_id
    CROSS JOIN most
    ORDER BY best.score DESC, best.id
    """
)


async def list_at(db: AsyncConnection, collection: str, location: str) -> list[Known]:
    """Return the document at ``location`` and those below it."""
    rows = await db.execute(_LIST_AT, {"collection": collection, "location": location})
    return [Known(*row) for row in rows]


async def list_collection(db: AsyncConnection, collection: str) -> list[Known]:
    rows = await db.execute(_LIST_COLLECTION, {"collection": collection})
    return [Known(*row) for row in rows]


async def put(db: AsyncConnection, document: NewDocument) -> bool:
    """Store a document in place of its earlier version; needs a transaction.

    Returns whether something was written: not, when another node was first with the same.
    """
    pieces = document.pieces
    row = await db.execute(
        _PUT,
        {
            "collection": document.collection,
            "location": document.location,
            "source": document.source,
            "title": document.title,
            "url": document.url,
            "fingerprint": document.fingerprint,
            "token_version": document.token_version,
            "passage_count": len(pieces),
            "token_count": sum(len(piece.tokens) for piece in pieces),
        },
    )
    document_id = row.scalar_one_or_none()
    if document_id is None:
        return False
    await db.execute(_DELETE_CHUNKS, {"id": document_id})
    for start in range(0, len(pieces), _INSERT_ROWS):
        await _insert(db, document_id, start, pieces[start : start + _INSERT_ROWS])
    return True


async def _insert(
    db: AsyncConnection, document_id: int, start: int, pieces: Sequence[Piece]
) -> None:
    await db.execute(
        _INSERT_CHUNKS,
        {
            "id": document_id,
            "seqs": list(range(start + 1, start + 1 + len(pieces))),
            "titles": [piece.title for piece in pieces],
            "anchors": [piece.anchor for piece in pieces],
            "texts": [piece.text for piece in pieces],
            "lexes": [tsvector_literal(piece.tokens) for piece in pieces],
            "counts": [len(piece.tokens) for piece in pieces],
        },
    )


async def remove(db: AsyncConnection, ids: Sequence[int]) -> None:
    if ids:
        await db.execute(_REMOVE, {"ids": list(ids)})


async def lock(db: AsyncConnection) -> None:
    """Wait until no other node holds this lock; it is let go with the transaction."""
    await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


async def size(db: AsyncConnection, token_version: int) -> CorpusSize:
    """Count; documents of another ``token_version`` are stale."""
    documents, passages, stale = (await db.execute(_SIZE, {"token_version": token_version})).one()
    return CorpusSize(int(documents), int(passages), int(stale))


async def search(db: AsyncConnection, question: Question, limit: int) -> list[Passage]:
    """Return the ``limit`` passages with the highest score, the best first.

    One statement; costs an index scan for each term and a row for each passage that has
    one.
    """
    rows = await db.execute(
        _SEARCH,
        {
            "tokens": list(question.tokens),
            "groups": list(question.groups),
            "weights": list(question.weights),
            "query": tsquery_literal(question.tokens, max_terms=len(question.tokens)),
            "k1": _K1,
            "b": _B,
            "part": _PART,
            "limit": limit,
        },
    )
    return [
        Passage(
            title=row.title,
            source=_addressed(row.source, row.anchor),
            url=_addressed(row.url, row.anchor) if row.url else None,
            text=row.text,
            score=float(row.score),
            coverage=float(row.coverage),
        )
        for row in rows
    ]


def _addressed(place: str, anchor: str | None) -> str:
    return f"{place}#{anchor}" if anchor else place
