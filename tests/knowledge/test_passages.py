"""Cutting documents: nothing lost, sizes bounded, words whole."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.tokens import tokens
from app.knowledge.document import Block, BlockKind, Document, Section
from app.knowledge.markdown import read_markdown
from app.knowledge.passages import split_document, split_section

_WORDS = st.text(alphabet="abcXYZ가나.。!?-|#`0 ", min_size=1, max_size=30)
_TEXTS = st.lists(_WORDS, min_size=1, max_size=60).map(" ".join)
_PROSE = st.builds(Block, st.sampled_from(["prose", "list"]), _TEXTS)
_ANY = st.builds(
    Block,
    st.sampled_from(["prose", "list", "code", "table"]),
    st.one_of(_TEXTS, st.lists(_WORDS, min_size=1, max_size=60).map("\n".join)),
)


def _section(*blocks: Block) -> Section:
    return Section(("T",), None, blocks)


def _letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(st.lists(_PROSE, max_size=6), st.integers(40, 400))
def test_the_passages_of_a_text_are_the_text(blocks: list[Block], chars: int) -> None:
    passages = list(split_section(_section(*blocks), chars))
    assert _letters("".join(passages)) == _letters("".join(block.text for block in blocks))
    assert all(0 < len(passage) <= chars for passage in passages)


@given(st.lists(_PROSE, max_size=6), st.integers(80, 400))
def test_no_word_is_cut_that_is_shorter_than_a_passage(blocks: list[Block], chars: int) -> None:
    passages = list(split_section(_section(*blocks), chars))
    cut = [word for passage in passages for word in passage.split()]
    sentence_end = re.compile(r"(?<=[。！？])")  # the next sentence follows without a space
    whole = [word for block in blocks for word in block.text.split()]
    assert [part for word in cut for part in sentence_end.split(word) if part] == [
        part for word in whole for part in sentence_end.split(word) if part
    ]


@given(st.lists(_ANY, max_size=6), st.integers(40, 400))
def test_sizes_are_bounded_and_no_word_is_lost(blocks: list[Block], chars: int) -> None:
    passages = list(split_section(_section(*blocks), chars))
    assert all(0 < len(passage) <= 2 * chars for passage in passages)
    kept = set(tokens(" ".join(passages)))
    short = [w for block in blocks for w in block.text.split() if len(w) <= chars // 8]
    assert {token for word in short for token in tokens(word)} <= kept


def test_a_passage_never_crosses_a_heading() -> None:
    document = read_markdown("# A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree\n", "f")
    assert [
        (piece.title, piece.anchor, piece.text) for piece in split_document(document, 1_000)
    ] == [
        ("A", "a", "one"),
        ("A › B", "b", "two"),
        ("A › C", "c", "three"),
    ]


def test_long_text_is_cut_between_paragraphs_before_sentences_before_words() -> None:
    paragraphs = ["One sentence here. " * 8, "Another one there. " * 8]
    passages = list(split_section(_section(*(Block("prose", p) for p in paragraphs)), 200))
    assert passages == [paragraph.strip() for paragraph in paragraphs]
    sentences = list(split_section(_section(Block("prose", "One sentence here. " * 30)), 200))
    assert all(passage.endswith("here.") for passage in sentences)
    words = list(split_section(_section(Block("prose", "word " * 200)), 200))
    assert all(passage.startswith("word") and passage.endswith("word") for passage in words)


def test_a_section_is_shared_evenly_among_its_passages() -> None:
    text = "A sentence of some length stands here. " * 32  # a little more than one passage
    sizes = [len(passage) for passage in split_section(_section(Block("prose", text)), 1_200)]
    assert len(sizes) == 2
    assert min(sizes) > 400


@pytest.mark.parametrize("kind", ["code", "table"])
def test_code_and_tables_stay_whole_with_their_introduction(kind: BlockKind) -> None:
    block = Block(kind, "\n".join(f"line {n}" for n in range(50)))
    section = _section(Block("prose", "Before. " * 20), Block("prose", "For example:"), block)
    passages = list(split_section(section, 300))
    assert sum(block.text in passage for passage in passages) == 1


def test_long_code_is_cut_at_lines_and_stays_code() -> None:
    code = "```py\n" + "\n".join(f"call_number({n})" for n in range(100)) + "\n```"
    passages = list(split_section(_section(Block("code", code)), 300))
    assert len(passages) > 4
    assert all(p.startswith("```py\n") and p.endswith("\n```") for p in passages)
    assert all(line.endswith(")") for p in passages for line in p.splitlines()[1:-1])


def test_a_long_table_repeats_its_head() -> None:
    head = "| word | means |\n| --- | --- |\n"
    table = head + "\n".join(f"| w{n} | thing number {n} |" for n in range(100))
    passages = list(split_section(_section(Block("table", table)), 300))
    assert len(passages) > 4
    assert all(passage.startswith(head) for passage in passages)


def test_a_heading_counts_for_each_of_its_passages() -> None:
    section = Section(("Guide", "Resume"), None, (Block("prose", "text " * 100),))
    pieces = list(split_document(Document("Guide", None, (section,)), 200))
    assert all(piece.tokens[:4] == ("guid", "resum", "resum", "resum") for piece in pieces)


@pytest.mark.parametrize("text", [".", "a", "가。", "x. ", "- ", "\n\n", "`", "|"])
@pytest.mark.parametrize("kind", ["prose", "list", "code", "table"])
def test_a_megabyte_of_anything_takes_linear_time(text: str, kind: BlockKind) -> None:
    block = Block(kind, text * (1_000_000 // len(text)))
    started = time.perf_counter()
    passages = list(split_section(_section(block), 1_200))
    assert time.perf_counter() - started < 10  # seconds; quadratic work would take hours
    assert all(len(passage) <= 2_400 for passage in passages)
