"""The statement that searches: exactly BM25, through its index, whatever is asked."""

import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.kit.tokens import tokens, tsquery_literal, tsvector_literal
from app.knowledge import repository
from app.knowledge.passages import Piece
from app.knowledge.query import Question
from app.knowledge.repository import NewDocument
from app.knowledge.service import KnowledgeService
from app.storage.postgres import Postgres

_TEXTS = [
    "The session resumes after a drop.",
    "A drop of rain, a drop of tea, and one more drop.",
    "연결이 끊기면 세션이 이어집니다.",
    "Nothing of interest here at all.",
    "session session session, and a very long tail of other words that dilute it " * 3,
]


def _document(name: str, *texts: str) -> NewDocument:
    return NewDocument(
        collection="test",
        location=name,
        source=name,
        title=name,
        url="https://example.org/d",
        fingerprint=name.encode(),
        token_version=1,
        pieces=tuple(
            Piece("T", f"p{n}", text, tuple(tokens(text))) for n, text in enumerate(texts)
        ),
    )


def _bm25(question: Question, texts: list[str]) -> dict[str, tuple[float, float]]:
    """Score and coverage of each text, computed the plain way."""
    counts = [Counter(tokens(text)) for text in texts]
    mean = sum(sum(count.values()) for count in counts) / len(counts)
    groups: dict[int, dict[str, float]] = {}
    for token, group, weight in zip(
        question.tokens, question.groups, question.weights, strict=True
    ):
        groups.setdefault(group, {})[token] = weight
    share = [
        {
            group: min(1.0, sum(w for token, w in terms.items() if count[token]))
            for group, terms in groups.items()
        }
        for count in counts
    ]
    found = {group: sum(s[group] >= 0.5 for s in share) for group in groups}
    idf = {g: math.log(1 + (len(texts) - df + 0.5) / (df + 0.5)) for g, df in found.items()}
    result = {}
    for index, count in enumerate(counts):
        present = {group for group in groups if share[index][group] >= 0.5}
        if not present:
            continue
        length = sum(count.values())
        score = 0.0
        for group in present:
            frequency = sum(w * count[token] for token, w in groups[group].items())
            score += idf[group] * frequency / (frequency + 1.2 * (0.6 + 0.4 * length / mean))
        covered = sum(idf[group] * share[index][group] for group in present)
        total = sum(idf.values())
        result[texts[index]] = (score / total, covered / total)
    return result


@pytest.mark.parametrize(
    "question",
    [
        Question(("session",), (0,), (1.0,)),
        Question(("session", "drop", "rain", "zebra"), (0, 1, 2, 3), (1.0,) * 4),
        Question(("session", "세션", "drop", "끊기"), (0, 0, 1, 1), (1.0, 1.0, 0.5, 1.0)),
        Question(("연결", "결이", "이어", "drop"), (0, 0, 0, 1), (0.5, 0.25, 0.2, 1.0)),
    ],
)
async def test_scores_are_exactly_bm25(
    knowledge: KnowledgeService, postgres: Postgres, question: Question
) -> None:
    async with postgres.unit() as db:
        assert await repository.put(db, _document("one", *_TEXTS[:3]))
        assert await repository.put(db, _document("two", *_TEXTS[3:]))
        found = await repository.search(db, question, 10)
    expected = _bm25(question, _TEXTS)
    assert {passage.text for passage in found} == expected.keys()
    for passage in found:
        score, coverage = expected[passage.text]
        assert passage.score == pytest.approx(score)
        assert passage.coverage == pytest.approx(coverage)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


async def test_a_passage_carries_its_address(
    knowledge: KnowledgeService, postgres: Postgres
) -> None:
    async with postgres.unit() as db:
        await repository.put(db, _document("a.html", "zebra"))
        (found,) = await repository.search(db, Question(("zebra",), (0,), (1.0,)), 10)
    assert (found.source, found.url) == ("a.html#p0", "https://example.org/d#p0")


async def test_search_goes_through_its_index(
    knowledge: KnowledgeService, postgres: Postgres
) -> None:
    texts = [f"word{n} filler filler" for n in range(2_000)]
    async with postgres.unit() as db:
        await repository.put(db, _document("many", *texts))
    async with postgres.statement() as db:
        await db.execute(text("ANALYZE document_chunks"))
        plan = await db.execute(
            text("EXPLAIN SELECT id FROM document_chunks WHERE lex @@ CAST(:q AS tsquery)"),
            {"q": tsquery_literal(["word7", "word8"])},
        )
        assert "ix_document_chunks_lex" in "\n".join(row[0] for row in plan)


async def test_of_two_writers_of_one_document_the_second_writes_nothing(
    knowledge: KnowledgeService, postgres: Postgres
) -> None:
    async with postgres.unit() as db:
        assert await repository.put(db, _document("same", "zebra"))
    async with postgres.unit() as db:
        assert not await repository.put(db, _document("same", "zebra"))
        assert (await repository.size(db, 1)).passages == 1
        assert (await repository.size(db, 2)).stale == 1


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(found=st.lists(st.text(max_size=5).map(lambda text: text + "'\\:|&!"), max_size=20))
async def test_postgres_takes_every_literal(postgres: Postgres, found: list[str]) -> None:
    usable = {token for token in found if "\0" not in token}
    async with postgres.statement() as db:
        row = await db.execute(
            text("SELECT tsvector_to_array(CAST(:v AS tsvector)), CAST(:q AS tsquery)::text"),
            {"v": tsvector_literal(found), "q": tsquery_literal(found)},
        )
        kept, _ = row.one()
    assert set(kept) == usable


async def test_postgres_takes_the_longest_vector(postgres: Postgres) -> None:
    everything = [*(f"{n:050d}" for n in range(30_000)), *["x"] * 1_000, "é" * 1_023]
    async with postgres.statement() as db:
        row = await db.execute(
            text("SELECT length(CAST(:v AS tsvector))"), {"v": tsvector_literal(everything)}
        )
        assert row.scalar_one() > 15_000
