"""Solving sums written in signs or in words."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re

from app.supervisor.teams.analysis import display, evaluate, expression, phrases
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.expression import Node, Num
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_ROUND_FIRST = re.compile(r"^\W*(?:please |can you )?round\b(?! ?\()", re.IGNORECASE)
_ROUNDED = pattern(
    r"(?:,? (?:and )?(?:rounded? |correct )?(?:it )?to (?:the nearest )?(?P<n><N>) (?:decimals?(?: "
    r"places?)?|d\.?p\.?|places))"
)
_KOREAN_ROUNDED = pattern(
    r"소수점? ?(?:아래|이하)? ?(?P<n><N>) ?(?:째|번째)? ?자리(?:까지)?(?:로)?(?: 반올림(?:한"
    r"|해서)?)?"
)
_KOREAN_PLACES = {"첫": 1, "둘": 2, "셋": 3, "넷": 4, "다섯": 5}
_KOREAN_PLACE = re.compile(
    r"소수점? ?(첫|둘|셋|넷|다섯)째 ?자리까지(?: ?(?:반올림)?(?:해서|한|하면|으로|로)?)? ?"
)
_AS_FRACTION = re.compile(r",? as an? (?:simplified )?fraction\b|(?:을|를)? ?분수로", re.IGNORECASE)
_AS_DECIMAL = re.compile(
    r",? (?:as|in|into|to) an? decimals?\b|,? in decimal(?: form)?\b|(?:을|를)? ?소수로",
    re.IGNORECASE,
)
_EQUATION = re.compile(r"(?<![<>!=])=(?!=)")


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause that is arithmetic from end to end.

    Raises Refused for a division by zero or a result with too many digits.
    """
    shape = clause.shape
    if not clause.atoms and "pi" not in shape.lower() and "π" not in shape:
        return None
    if _ROUND_FIRST.match(shape):
        return None  # how numbers are written is another solver's work
    places, shape = _rounding(clause, shape)
    as_fraction, shape = _without(_AS_FRACTION, shape)
    as_decimal, shape = _without(_AS_DECIMAL, shape)
    node = _tree(clause, shape)
    if node is None:
        return None
    if isinstance(node, Num) and not as_decimal and not as_fraction and places is None:
        return None  # a bare number or fraction asks nothing
    evaluation = evaluate.Evaluation()
    try:
        value = evaluation.of(node)
    except Refused as refused:
        raise evaluate.sized(node, refused) from refused
    shown = value.shown()
    sign = value.sign()
    if places is not None:
        shown = display.rounded(value.value, min(places, 30))
        sign = "=" if display.terminates(value.value, min(places, 30)) and value.exact else "≈"
    elif as_fraction and value.exact:
        shown, sign = display.fraction_text(value.value), "="
    written = evaluate.text_of(node)
    if as_decimal:
        shown = display.figure(value.value)
        sign = display.sign_of(value.value, exact=value.exact)
    if as_decimal and isinstance(node, Num):
        written = display.fraction_text(value.value)
    if (
        value.parts
        and not as_fraction
        and not as_decimal
        and sign == "="
        and shown == display.fraction_text(value.value)
        and value.value.denominator != 1
    ):
        shown += f" {display.sign_of(value.value)} {display.figure(value.value)}"
    steps = tuple(evaluation.steps)
    if (
        len(steps) == 1
        and steps[0].count("=") + steps[0].count("≈") == 1
        and " mod " not in written
    ):
        steps = ()  # it would only say the lead again
    note = _note(evaluation, value, setting, as_fraction=as_fraction)
    return Working(f"{written} {sign} {shown}", steps, note, value=value.value, exact=value.exact)


def _tree(clause: Clause, shape: str) -> Node | None:
    stripped = phrases.strip_question(shape)
    for candidate in (phrases.to_expression(stripped), phrases.to_expression(shape)):
        text = phrases.strip_question(candidate)
        if not text or _EQUATION.search(text):
            continue
        try:
            node = expression.parse(text, clause.atoms)
        except expression.NotAnExpression:
            continue
        if expression.is_trivial(node):
            return node if isinstance(node, Num) else None
        return expression.with_fractions(node) if expression.is_of_fractions(node) else node
    return None


def _rounding(clause: Clause, shape: str) -> tuple[int | None, str]:
    if match := _KOREAN_PLACE.search(shape):
        return _KOREAN_PLACES[match.group(1)], shape[: match.start()] + shape[match.end() :]
    for rounded in (_ROUNDED, _KOREAN_ROUNDED):
        if match := rounded.search(shape):
            return int(clause.value(match["n"])), shape[: match.start()] + shape[match.end() :]
    return None, shape


def _without(words: re.Pattern[str], shape: str) -> tuple[bool, str]:
    match = words.search(shape)
    return (True, shape[: match.start()] + shape[match.end() :]) if match else (False, shape)


def _note(
    evaluation: evaluate.Evaluation, value: evaluate.Value, setting: Setting, *, as_fraction: bool
) -> str:
    if evaluation.radians:
        return setting.say("The angle is read as radians.", "각도는 라디안으로 읽었어요.")
    plain = value.exact and not value.currency and not as_fraction and not value.parts
    if plain and not display.is_shown_exactly(value.value) and value.value.denominator <= 1000:
        fraction = display.fraction_text(value.value)
        return setting.say(f"Exactly {fraction}.", f"정확히는 {fraction}이에요.")
    return ""
