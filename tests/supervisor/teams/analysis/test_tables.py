"""Small pasted tables and the questions about them."""

from datetime import UTC, datetime

import pytest

from app.supervisor.offline.language import detect
from app.supervisor.teams.analysis import tables
from app.supervisor.teams.analysis.team import analyse

MARKDOWN = """| Product | Region | Price | Qty |
|---|:-:|---|---|
| Apple | Seoul | $1.20 | 30 |
| Pear | Busan | $0.85 | 50 |
| Kiwi | Seoul | $2.10 | 10 |
| Plum | Jeju | $1.75 | 25 |"""
CSV = "name,dept,salary\nKim,Sales,4200\nLee,Dev,5100\nPark,Dev,4800\nChoi,Sales,3900"
TSV = "이름\t과목\t점수\n민수\t수학\t85\n지영\t영어\t92\n철수\t수학\t78\n영희\t영어\t95"


def answer(question: str, table: str) -> str:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    task = f"{question}\n{table}"
    return analyse(task, history=[], now=now, language=detect(question))["markdown"]


@pytest.mark.parametrize(
    ("question", "table", "expected"),
    [
        ("What is the total Qty?", MARKDOWN, "Qty – Sum: 115"),
        ("average Price", MARKDOWN, "Mean: ≈ $1.48"),
        ("which product has the highest price?", MARKDOWN, "Kiwi (Price $2.10)"),
        ("which product is the cheapest?", MARKDOWN, "Pear"),
        ("total qty by region", MARKDOWN, "| Seoul | 40 |"),
        ("total qty in Seoul", MARKDOWN, "Qty – Sum: 40"),
        ("what is the total revenue?", MARKDOWN, "Total: $143.25"),
        ("how many products are in Seoul?", MARKDOWN, "**2 rows**"),
        ("products with price over 1.5", MARKDOWN, "Kiwi: Price $2.10; Plum: Price $1.75"),
        ("top 2 by qty", MARKDOWN, "| Pear | Busan | $0.85 | 50 |\n| Apple"),
        ("What is the price of Kiwi?", MARKDOWN, "Kiwi: Price $2.10"),
        ("Describe this table", MARKDOWN, "4 rows, 4 columns"),
        ("average salary by dept", CSV, "| Dev | 4,950 |"),
        ("who earns the most?", CSV, "Lee (salary 5100)"),
        ("How many people earn more than 4500?", CSV, "**2 rows**"),
        ("sort by salary descending", CSV, "| Lee | Dev | 5100 |\n| Park"),
        ("percentage share of salary", CSV, "23.3%"),
        ("점수 평균은?", TSV, "점수 – 평균: 87.5"),
        ("과목별 평균 점수", TSV, "| 수학 | 81.5 |"),
        ("90점 이상은 몇 명?", TSV, "**2개**"),
        ("점수가 가장 높은 사람은?", TSV, "영희 (점수 95)"),
        ("total?", "apples 12\npears 7\nkiwis 20", "Sum: 39"),
    ],
)
def test_a_question_about_a_table_is_answered(question: str, table: str, expected: str) -> None:
    assert expected in answer(question, table)


def test_a_restriction_is_said() -> None:
    assert "Rows with Region = Seoul: 2 of 4 rows" in answer("total qty in Seoul", MARKDOWN)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, John\nThanks, Mary",
        "One line only, with a comma",
        "What is 2+2?\nWhat is 3+3?",
        "",
    ],
)
def test_prose_is_not_a_table(text: str) -> None:
    found = tables.find(text)

    assert found is None or not any(
        found[0].is_numeric(index) for index in range(len(found[0].head))
    )


def test_a_quoted_comma_does_not_split_a_cell() -> None:
    found = tables.find('name,amount\n"Smith, J",1200\nLee,800')

    assert found is not None
    assert found[0].rows[0] == ("Smith, J", "1200")
