"""Splitting a message into the parts that different teams can take."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Callable

from app.supervisor.offline import sentences
from app.supervisor.teams.document import request

Solves = Callable[[str], bool]

_MOST_PARTS = 12
_MOST_TRIES = 40
_SHORT_QUESTION = 5  # words; such a question leans on what was said before it
_STARTERS = (
    r"(?:what(?:'s|s)?|how|why|when|where|who(?:'s)?|which|whose|tell|explain|convert|calculate"
    r"|compute|summari[sz]e|list|give me|show|find|solve|translate|write|draw|describe|define"
    r"|also|can you|could you|please)"
)
_AUXILIARIES = r"(?:is|are|does|do|did|was|were|can|will|should|has|have)"
_ENGLISH_JOINT = re.compile(
    rf"(?:,|;)?\s+(?:and|but|plus|then|also)(?: also| then)?,?\s+(?={_STARTERS}\b)|(?:,"
    rf"|;)\s+(?={_STARTERS}\b)|;\s+",
    re.IGNORECASE,
)
_AUXILIARY_JOINT = re.compile(rf",\s+and\s+(?={_AUXILIARIES}\b)", re.IGNORECASE)
_PLAIN_JOINT = re.compile(r"(?:,\s*)?\s+(?:and|&)\s+|,\s+|;\s+", re.IGNORECASE)
_KOREAN_JOINT = re.compile(
    r"(?:[,;]\s*)?(?<=[가-힣?])\s*(?:그리고|또한|그다음에?|아울러)\s+|,\s+(?:그리고|또)?\s*"
    r"|(?<=[가-힣])(?<!그리)(?<!하)고,?\s+|(?<=이)며,?\s+|(?<=하)고,?\s+|\s+또\s+"
)
_KOREAN_BOTH = re.compile(
    r"(?<=[가-힣])고,?\s+|(?<=[%\d)가-힣])(?:이랑|랑|하고|와|과)\s+|,\s+|\s*그리고\s+"
)
_HOW_MUCH = re.compile(
    r"\bhow (?:many|much|long|far|old)\b|\bwhat (?:percent|is the total)|몇|얼마|며칠",
    re.IGNORECASE,
)
_PURCHASE = re.compile(r"\bat [$€£]|@|\beach\b|\bapiece\b|씩|짜리|\bat \d")
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|that|this|those|these|he|she|one|there)\b|그것|그걸|그게|이것"
    r"|이게|그때|그\s",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    rf"^\W*(?:(?:and|but|so|then|also|ok|okay|now|well|hey|please)[ ,]+)*(?:{_STARTERS}"
    rf"|{_AUXILIARIES}|would|may|might|compare|extract|outline|count|help|name)\b",
    re.IGNORECASE,
)
_KOREAN_QUESTION = re.compile(
    r"(?:줘|줘요|주세요|까|까요|나요|니|는지|은지|인가|인가요|인지|을래|ㄹ래|해봐|하시오|하라"
    r"|뭐야|뭐지|뭔가요|어때|어때요|얼마|얼마야|언제야|어디야|누구야|왜|돼|돼요|되나|되지|은|는"
    r"|야|죠|냐|해|면|될까|할까)\s*[.!~]*$"
)
_FACTORIAL_END = re.compile(r"[\d)]!$")
_OPERATOR_START = re.compile(r"[-+*/×÷^]\s*[\d(]|mod\b")
_NUMBERED = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•])\s+")
_GREETING_PREFIX = re.compile(
    r"^\s*(?:hi|hello|hey|good (?:morning|afternoon|evening)|안녕하세요|안녕|저기요"
    r"|저기)(?: there| colloquy)?\s*[,!.~]+\s*(?=\S)",
    re.IGNORECASE,
)
_THANKS_SUFFIX = re.compile(
    r"[.!?,]?\s*(?:thanks|thank you|thx|감사합니다|고마워요?|고맙습니다)(?: in advance| so much"
    r"| a lot| very much)?\s*[.!~]*\s*$",
    re.IGNORECASE,
)


def split(message: str, solves: Solves) -> list[str]:
    """Return the parts of a message in the order asked, at most twelve.

    ``solves`` tells whether the analysis team has an answer for a text: words that join two
    sums are cut only where both sides are sums. A statement goes with the question after it.
    """
    text = _GREETING_PREFIX.sub("", message.strip(), count=1)
    text = _THANKS_SUFFIX.sub("", text) or text
    budget = _Budget(solves)
    parts: list[str] = []
    for sentence in _merged(_sentences(text), budget):
        parts += _joined(sentence, budget)
        if len(parts) > _MOST_PARTS:
            break
    kept = [part.strip(" ,;") for part in parts if re.search(r"\w", part)]
    return kept[:_MOST_PARTS] or [message.strip()]


class _Budget:
    """Asks the analysis team at most so many times for one message."""

    def __init__(self, solves: Solves) -> None:
        self._solves = solves
        self._known: dict[str, bool] = {}

    def solves(self, text: str) -> bool:
        text = text.strip(" ,;")
        if text not in self._known:
            if len(self._known) >= _MOST_TRIES:
                return False
            self._known[text] = self._solves(text)
        return self._known[text]


def _sentences(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and sum(bool(_NUMBERED.match(line)) for line in lines) >= 2:
        return [_NUMBERED.sub("", line).strip() for line in lines]
    if len(lines) > _MOST_TRIES:
        return [text]
    found: list[str] = []
    for one in (one for line in lines for one in sentences.split(line)):
        if found and _FACTORIAL_END.search(found[-1]) and _OPERATOR_START.match(one):
            found[-1] = f"{found[-1]} {one}"  # 10! / 3 is one sum, not an exclamation
        else:
            found.append(one)
    return found


def _asks(sentence: str) -> bool:
    return (
        sentence.rstrip().endswith(("?", "？"))
        or bool(_QUESTION.match(sentence))
        or bool(_KOREAN_QUESTION.search(sentence))
    )


def _merged(found: list[str], budget: _Budget) -> list[str]:
    """Join a statement to the question it prepares, unless the question stands alone."""
    if len(found) < 2:
        return found
    merged: list[str] = []
    pending: list[str] = []
    for sentence in found:
        if not _asks(sentence) and not budget.solves(sentence):
            pending.append(sentence)
            continue
        if pending:
            merged.append(_with_context(pending, sentence, budget))
            pending = []
            continue
        leans = not budget.solves(sentence) and not request.asks_for_work(sentence)
        if merged and leans and budget.solves(f"{merged[-1]} {sentence}"):
            merged[-1] = f"{merged[-1]} {sentence}"
            continue
        merged.append(sentence)
    if pending:
        whole = " ".join([*merged[-1:], *pending])
        if merged and not budget.solves(merged[-1]) and budget.solves(whole):
            merged[-1] = whole
        elif not merged:
            merged.append(" ".join(pending))
    return merged


def _with_context(pending: list[str], question: str, budget: _Budget) -> str:
    """Return a question with the statements before it when it needs them."""
    whole = " ".join([*pending, question])
    short = len(re.findall(r"\w+", question)) < _SHORT_QUESTION
    counts = re.search(r"\d", whole) is not None and _HOW_MUCH.search(question) is not None
    leans = short or counts or _PRONOUN.search(question) is not None
    return whole if not budget.solves(question) and (leans or budget.solves(whole)) else question


def _joined(sentence: str, budget: _Budget) -> list[str]:
    """Cut one sentence where it joins two questions."""
    if not _PURCHASE.search(sentence) and (
        pieces := _sums(sentence, budget) or _korean_sums(sentence, budget)
    ):
        return pieces
    if budget.solves(sentence) and not _two_questions(sentence):
        return [sentence]
    for joint in (_ENGLISH_JOINT, _AUXILIARY_JOINT):
        for match in joint.finditer(sentence):
            left, right = sentence[: match.start()], sentence[match.end() :]
            if _may_part(left, right, budget, joint=match.group()):
                return [*_joined(left, budget), *_joined(right, budget)]
    if budget.solves(sentence):
        return [sentence]
    return _sums(sentence, budget) or _korean(sentence, budget) or [sentence]


def _korean_sums(sentence: str, budget: _Budget) -> list[str]:
    """Cut at 고, 랑, 와 … where both sides are sums of their own."""
    for match in _KOREAN_BOTH.finditer(sentence):
        left, right = sentence[: match.start()].strip(" ,"), sentence[match.end() :].strip(" ,")
        if len(left) > 2 and budget.solves(left) and budget.solves(right):
            return [_whole_word(left, match), *_joined(right, budget)]
    return []


def _whole_word(left: str, joint: re.Match[str]) -> str:
    """Give the verb back the 고 at which the sentence was cut."""
    return f"{left}고" if joint.group().lstrip().startswith("고") else left


def _two_questions(sentence: str) -> bool:
    return bool(_ENGLISH_JOINT.search(sentence)) and len(sentence) > 24


def _may_part(left: str, right: str, budget: _Budget, *, joint: str) -> bool:
    if len(re.findall(r"\w+", left)) < 2 or len(re.findall(r"\w+", right)) < 2:
        return False
    one, two = budget.solves(left), budget.solves(right)
    if one and two:
        return True
    if one != two:
        # "I drive 240 km at 80 km/h, how long does it take?" is one sum in two clauses
        one_sum = budget.solves(f"{left}, {right}")
        given = re.match(r"\W*(?:if|when|given|suppose)\b", left, re.IGNORECASE) is not None
        linked = re.search(r"\w|;", joint) is not None
        return not one_sum or (linked and not given)
    return not _PRONOUN.search(right) and bool(_QUESTION.match(left))


def _sums(sentence: str, budget: _Budget) -> list[str]:
    """Cut at a plain "and" or comma where every piece is a sum of its own."""
    for match in _PLAIN_JOINT.finditer(sentence):
        left, right = sentence[: match.start()], sentence[match.end() :]
        if not re.search(r"\d|[가-힣]", left):
            continue
        if budget.solves(left) and (rest := _all_sums(right, budget)):
            return [left, *rest]
    return []


def _all_sums(text: str, budget: _Budget) -> list[str]:
    if budget.solves(text):
        return [text]
    return _sums(text, budget)


def _korean(sentence: str, budget: _Budget) -> list[str]:
    """Cut a Korean sentence at a joint when one side is a sum, or both are questions."""
    for match in _KOREAN_JOINT.finditer(sentence):
        left, right = sentence[: match.start()].strip(), sentence[match.end() :].strip()
        if len(left) < 3 or len(right) < 3:
            continue
        one, two = budget.solves(left), budget.solves(right)
        strong = re.search(r"그리고|또", match.group()) is not None
        asking = _KOREAN_QUESTION.search(right) is not None or right.endswith("?")
        if (
            (one and (two or asking))
            or (two and (asking or strong) and len(left) > 3)
            or (strong and asking and not _PRONOUN.search(right) and len(left) > 8)
        ):
            return [_whole_word(left, match), *_joined(right, budget)]
    return []
