"""Ingesting files: what is stored, what is refused, and what happens the second time."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from app.kit.clock import SystemClock
from app.kit.errors import Unavailable
from app.knowledge.service import KnowledgeService
from app.settings import DatabaseSettings, KnowledgeSettings
from app.storage.postgres import Postgres
from tests.knowledge.pdf_files import locked, pdf_of


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def _sources(knowledge: KnowledgeService, query: str) -> list[str]:
    return [passage.source for passage in await knowledge.search(query, limit=20)]


async def test_each_kind_of_file_is_found_by_its_words(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "a.md", "# Alpha\n\n## Zebra care\n\nFeed the zebra.")
    _write(tmp_path / "b.txt", "A quagga is like a zebra.")
    _write(tmp_path / "sub" / "c.html", '<h1 id="top">Gnu</h1><p>The zebra and the gnu.')
    _write(tmp_path / "d.pdf", pdf_of("nothing here", "a zebra on page two"))
    report = await knowledge.ingest(tmp_path)
    assert report.added == ("a.md", "b.txt", "d.pdf", "sub/c.html")
    assert (report.passages, report.is_clean) == (5, True)
    assert set(await _sources(knowledge, "zebras?")) == {
        "a.md#zebra-care",
        "b.txt",
        "d.pdf#page=2",
        "sub/c.html#top",
    }
    size = await knowledge.count()
    assert (size.documents, size.passages, size.stale) == (4, 5, 0)


async def test_a_passage_says_what_and_where_it_is(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "a.md", "# Alpha\n\n## Zebra care\n\nFeed the **zebra**.")
    await knowledge.ingest(tmp_path / "a.md")
    (passage,) = await knowledge.search("How to care for a zebra?", limit=5)
    assert (passage.title, passage.source, passage.url, passage.text) == (
        "Alpha › Zebra care",
        "a.md#zebra-care",
        None,
        "Feed the **zebra**.",
    )
    assert 0 < passage.score <= 1
    assert passage.coverage == pytest.approx(1.0)


async def test_unchanged_files_are_skipped_and_changed_ones_replaced(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "a.md", "a zebra")
    _write(tmp_path / "b.md", "a gnu")
    await knowledge.ingest(tmp_path)
    again = await knowledge.ingest(tmp_path)
    assert (again.added, again.replaced, again.unchanged, again.passages) == ((), (), 2, 0)
    _write(tmp_path / "a.md", "an okapi")
    changed = await knowledge.ingest(tmp_path)
    assert (changed.replaced, changed.unchanged) == (("a.md",), 1)
    assert await _sources(knowledge, "zebra") == []
    assert await _sources(knowledge, "okapi") == ["a.md"]


async def test_files_that_are_gone_are_removed_with_their_passages(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "keep" / "a.md", "a zebra")
    _write(tmp_path / "gone" / "b.md", "a zebra")
    _write(tmp_path / "gone2" / "c.md", "a zebra")
    await knowledge.ingest(tmp_path)
    (tmp_path / "gone" / "b.md").unlink()
    (tmp_path / "gone2" / "c.md").unlink()
    assert (await knowledge.ingest(tmp_path / "gone")).removed == ("gone/b.md",)
    assert (await knowledge.ingest(tmp_path)).removed == ("gone2/c.md",)
    assert await _sources(knowledge, "zebra") == ["keep/a.md"]
    (tmp_path / "keep" / "a.md").unlink()
    assert (await knowledge.ingest(tmp_path / "keep" / "a.md")).removed == ("keep/a.md",)
    assert (await knowledge.count()).passages == 0


async def test_one_file_is_one_document_however_it_is_reached(
    knowledge: KnowledgeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "sub" / "a.md", "a zebra")
    await knowledge.ingest(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert (await knowledge.ingest(Path("sub"))).unchanged == 1
    assert (await knowledge.ingest(Path("./sub/../sub/a.md"))).unchanged == 1
    assert (await knowledge.count()).documents == 1


async def test_other_files_are_not_taken_for_the_folder_s(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "doc_s" / "a.md", "a zebra")
    _write(tmp_path / "docxs" / "b.md", "a zebra")
    await knowledge.ingest(tmp_path / "docxs")
    await knowledge.ingest(tmp_path / "doc_s")
    (tmp_path / "docxs" / "b.md").unlink()
    assert (await knowledge.ingest(tmp_path / "doc_s")).removed == ()
    assert (await knowledge.count()).documents == 2


async def test_each_bad_file_gives_one_reason_and_costs_no_other(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "1 fine.md", "a zebra")
    _write(tmp_path / "2 large.txt", "x" * 200_001)
    _write(tmp_path / "3 binary.txt", bytes(range(256)) * 8)
    _write(tmp_path / "4 latin.md", "caf\xe9".encode("latin-1"))
    _write(tmp_path / "5 locked.pdf", locked(pdf_of("text"), "secret"))
    _write(tmp_path / "6 broken.pdf", b"%PDF-1.7 and then nothing")
    _write(tmp_path / "7 false.pdf", "text")
    _write(tmp_path / "8 empty.md", "\n \n")
    _write(tmp_path / "9 hollow.html", "<script>1</script><!-- x -->")
    _write(tmp_path / "picture.png", b"\x89PNG")
    _write(tmp_path / "z fine.md", "another zebra")
    (tmp_path / "dangling.md").symlink_to(tmp_path / "nowhere")
    report = await knowledge.ingest(tmp_path)
    assert report.added == ("1 fine.md", "z fine.md")
    assert report.ignored == 1
    assert [(remark.source[0], remark.reason) for remark in report.rejected] == [
        ("2", "is larger than 200000 bytes (setting knowledge.file_bytes)"),
        ("3", "is not text"),
        ("4", "is not UTF-8 text (see byte 3); save it as UTF-8"),
        ("5", "is encrypted with a password"),
        ("6", "is not a PDF that can be read; it may be damaged"),
        ("7", "is not a PDF, in spite of its name"),
        ("8", "is empty"),
        ("9", "holds no text"),
        ("d", "does not exist"),
    ]
    assert not report.is_clean
    assert len(await _sources(knowledge, "zebra")) == 2


async def test_a_file_that_turns_bad_keeps_its_earlier_version(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    path = _write(tmp_path / "a.md", "a zebra")
    await knowledge.ingest(path)
    _write(path, b"\0\1\2\3" * 100)
    (remark,) = (await knowledge.ingest(path)).rejected
    assert remark.reason == "is not text; its earlier version is kept"
    assert await _sources(knowledge, "zebra") == ["a.md"]


async def test_a_path_that_never_was_is_reported(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    report = await knowledge.ingest(tmp_path / "no.md")
    assert [remark.reason for remark in report.rejected] == ["does not exist"]


async def test_characters_that_postgres_refuses_are_left_out(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    _write(tmp_path / "a.md", "# He\0ad\n\nze\0bra \x01" + " and much other text" * 9)
    _write(tmp_path / "b.html", "<title>&#0;T&#xDFFF;</title><p>zebra &#xD800; &#1;")
    _write(tmp_path / "c.pdf", pdf_of("zebra", title="a\\000b"))
    assert (await knowledge.ingest(tmp_path)).is_clean
    assert len(await _sources(knowledge, "zebra")) == 3


async def test_a_new_passage_size_cuts_unchanged_files_again(
    knowledge: KnowledgeService, postgres: Postgres, tmp_path: Path
) -> None:
    path = _write(tmp_path / "a.md", "A zebra stands in a field of grass. " * 30)
    await knowledge.ingest(path)
    other = KnowledgeService(
        postgres=postgres, settings=KnowledgeSettings(chunk_chars=200), clock=SystemClock()
    )
    report = await other.ingest(path)
    assert report.replaced == ("a.md",)
    assert report.passages >= 5


async def test_ingests_at_the_same_time_store_each_file_once(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    for n in range(12):
        _write(tmp_path / f"{n}.md", f"# Doc {n}\n\nzebra number {n}\n\n## More\n\nof it")
    reports = await asyncio.gather(*(knowledge.ingest(tmp_path) for _ in range(4)))
    assert sum(len(r.added) + len(r.replaced) for r in reports) == 12
    size = await knowledge.count()
    assert (size.documents, size.passages) == (12, 24)
    for n in range(12):
        (tmp_path / f"{n}.md").unlink()
    reports = await asyncio.gather(*(knowledge.ingest(tmp_path) for _ in range(4)))
    assert (await knowledge.count()).documents == 0


async def test_a_replacement_is_never_seen_half_done(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    path = tmp_path / "a.md"

    def version(n: int) -> str:
        return "".join(f"# Part {k}\n\nzebra version {n}\n\n" for k in range(10))

    _write(path, version(0))
    await knowledge.ingest(path)
    done = asyncio.Event()

    async def write() -> None:
        for n in range(1, 8):
            _write(path, version(n))
            await knowledge.ingest(path)
        done.set()

    async def read() -> None:
        while not done.is_set():
            found = await knowledge.search("zebra", limit=50)
            # equal texts come once, so each version is one passage
            assert len(found) == 1

    await asyncio.gather(write(), read(), read())


async def test_a_search_finds_nothing_without_words_or_without_a_corpus(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    assert await knowledge.search("zebra", limit=5) == []
    _write(tmp_path / "a.md", "zebra")
    await knowledge.ingest(tmp_path)
    for query in ("", "?!", "\0\ud800", "' | & !", "  "):
        assert await knowledge.search(query, limit=5) == []
    assert await knowledge.search("zebra", limit=0) == []


async def test_a_search_gives_at_most_what_was_asked_for_and_a_text_once(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    for n in range(6):
        _write(tmp_path / f"{n}.md", f"zebra {n // 2}")
    await knowledge.ingest(tmp_path)
    found = await knowledge.search("zebra", limit=20)
    assert sorted(passage.text for passage in found) == ["zebra 0", "zebra 1", "zebra 2"]
    assert len(await knowledge.search("zebra", limit=2)) == 2


def _own(root: Path) -> Path:
    _write(root / "README.md", "# Product\n\nA zebra.")
    _write(root / "docs" / "a.md", "# A\n\nAnother zebra.")
    return root


async def test_an_empty_corpus_gets_the_project_s_own_documents(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    folder = _own(tmp_path)
    assert (await knowledge.ingest_default(folder)).added == ("README.md", "docs/a.md")
    assert (await knowledge.ingest_default(folder)).unchanged == 2
    _write(folder / "README.md", "# Product\n\nAn okapi.")
    (folder / "docs" / "a.md").unlink()
    report = await knowledge.ingest_default(folder)
    assert (report.replaced, report.removed) == (("README.md",), ("docs/a.md",))
    assert await _sources(knowledge, "okapi") == ["README.md#product"]


async def test_own_documents_are_the_same_from_another_place(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    await knowledge.ingest_default(_own(tmp_path / "one"))
    assert (await knowledge.ingest_default(_own(tmp_path / "two"))).unchanged == 2
    assert (await knowledge.count()).documents == 2


async def test_an_operator_s_corpus_does_not_get_the_project_s_documents(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    await knowledge.ingest(_write(tmp_path / "mine" / "a.md", "zebra"))
    report = await knowledge.ingest_default(_own(tmp_path / "own"))
    assert (report.added, (await knowledge.count()).documents) == ((), 1)


async def test_a_missing_docs_folder_removes_nothing(
    knowledge: KnowledgeService, tmp_path: Path
) -> None:
    await knowledge.ingest_default(_own(tmp_path / "own"))
    assert (await knowledge.ingest_default(tmp_path / "no")).removed == ()
    assert (await knowledge.count()).documents == 2


async def test_nodes_that_start_together_ingest_the_own_documents_once(
    knowledge: KnowledgeService, postgres: Postgres, tmp_path: Path
) -> None:
    folder = _own(tmp_path)
    reports = await asyncio.gather(*(knowledge.ingest_default(folder) for _ in range(5)))
    assert sum(len(report.added) for report in reports) == 2
    assert sum(report.passages for report in reports) == 2
    assert (await knowledge.count()).documents == 2


async def test_documents_of_an_older_tokeniser_are_counted(
    knowledge: KnowledgeService, postgres: Postgres, tmp_path: Path
) -> None:
    await knowledge.ingest(_write(tmp_path / "a.md", "zebra"))
    async with postgres.unit() as db:
        await db.execute(text("UPDATE documents SET token_version = 0"))
    assert (await knowledge.count()).stale == 1


async def test_a_database_that_is_gone_is_one_temporary_error(tmp_path: Path) -> None:
    nowhere = Postgres(f"postgresql://x@/x?host={tmp_path}", DatabaseSettings(connect_seconds=1))
    knowledge = KnowledgeService(
        postgres=nowhere, settings=KnowledgeSettings(), clock=SystemClock()
    )
    with pytest.raises(Unavailable):
        await knowledge.search("zebra", limit=5)
    await nowhere.close()
