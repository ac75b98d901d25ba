"""What a solver hands back: the result with its steps, or why there is none."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from app.supervisor.offline.types import Language


@dataclass(frozen=True, slots=True)
class Setting:
    """What a solver may know besides the question."""

    now: datetime  # aware
    language: Language

    def say(self, english: str, korean: str) -> str:
        """Return the text of the person's language."""
        return korean if self.language == "ko" else english


@dataclass(frozen=True, slots=True)
class Working:
    """A solved question: the result first, then how it came about."""

    lead: str  # one line, without bold
    steps: tuple[str, ...] = ()  # Markdown lines, shown as a list
    note: str = ""  # an assumption the person should know
    block: str = ""  # a table or list under the lead
    value: Fraction | None = None
    exact: bool = field(default=True)


class Refused(Exception):
    """A question understood but not answerable: too large, impossible, contradictory.

    It never leaves the team: the team turns it into a sentence and ``TeamResult.code``.
    """

    def __init__(self, code: str, english: str, korean: str) -> None:
        super().__init__(english)
        self.code = code
        self.english = english
        self.korean = korean


def too_large() -> Refused:
    """Make the refusal of a number with more digits than is sensible."""
    return Refused(
        "too_large",
        "That number is too large to work out here (the limit is 2,000 digits).",
        "수가 너무 커서 여기서는 계산할 수 없어요(한도는 2,000자리예요).",
    )


def too_complex() -> Refused:
    """Make the refusal of an expression that is too long or nested too deeply."""
    return Refused(
        "too_complex",
        "That expression is too long or too deeply nested for me to work out.",
        "식이 너무 길거나 괄호가 너무 깊어서 계산할 수 없어요.",
    )


def division_by_zero() -> Refused:
    """Make the refusal of a division by zero."""
    return Refused(
        "division_by_zero",
        "That divides by zero, so it has no value.",
        "0으로 나누는 계산이라 값이 없어요.",
    )
