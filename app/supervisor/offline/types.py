"""The values that pass between planner, teams and writer: plain dicts, fit for graph state."""

from collections.abc import Callable
from typing import Literal, TypedDict

Language = Literal["en", "ko"]
TeamName = Literal["search", "document", "analysis"]
Progress = Callable[[str], None]


class Turn(TypedDict):
    """One earlier message of the chat."""

    role: str  # "user" or "assistant"
    text: str


class Step(TypedDict):
    """One part of the question and the team that takes it."""

    team: TeamName
    task: str  # the part in the person's own words, with the data it needs


class Aside(TypedDict):
    """A part that no team can take, with the line that says so."""

    task: str
    text: str
    position: int  # how many steps come before it in the order asked


class Plan(TypedDict):
    """What to do about one message."""

    intent: str  # question, analysis, document, mixed, smalltalk, about, irrelevant, impossible
    language: Language
    steps: list[Step]
    reply: str | None  # a ready answer when there are no steps
    asides: list[Aside]


class Passage(TypedDict):
    """One found piece of a document, as the search team hands it over."""

    title: str
    source: str
    url: str
    text: str
    score: float


class Citation(TypedDict):
    """Where a quoted sentence stands."""

    n: int
    title: str
    source: str
    url: str
    quote: str


class TeamResult(TypedDict):
    """What one team made of its task."""

    team: str
    task: str
    ok: bool
    summary: str  # one line for the progress rail
    markdown: str  # the section of the answer
    citations: list[Citation]
    code: str | None  # why not ok


class Failure(TypedDict):
    """A team that broke or ran out of time."""

    team: str
    code: str


class Answer(TypedDict):
    """The finished answer."""

    text: str  # Markdown
    citations: list[Citation]
