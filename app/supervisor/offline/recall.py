"""Answering from the chat itself: what was asked, what was answered, what name was given."""

import re
from collections.abc import Sequence

from app.supervisor.offline.particles import with_particle
from app.supervisor.offline.types import Language, Turn

_LONGEST = 160  # characters; a longer message asks for more than a memory
_RECALL = re.compile(
    r"\bwhat (?:did|have) i (?:just |last |first )?(?:ask|say|said|asked|type|write|tell)"
    r"|\bmy (?:last|previous|first) (?:question|message)\b|\brepeat my (?:last )?(?:question"
    r"|message)|내가\s?(?:방금|아까|처음|전에|지금까지)?\s?(?:뭐|뭘|무엇|무슨).{0,8}(?:했|물었"
    r"|물어|말했|질문)|(?:아까|방금|이전|마지막|첫)\s?(?:내\s?)?(?:질문|메시지).{0,6}(?:뭐|무엇)",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"\b(?:repeat|say) (?:that|it|your (?:last )?answer)(?: again)?\b"
    r"|\bwhat did you (?:just )?(?:say|answer)\b|다시 (?:말해|한번 말|한 번 말)|방금 뭐라고"
    r"|아까 (?:뭐라고 (?:답|했)|답)",
    re.IGNORECASE,
)
_NAME_GIVEN = re.compile(
    r"\b(?:my name is|my name's|i am called|call me)\s+(?!what\b|not\b|a\b|an\b|the\b|by\b|when\b)"
    r"([A-Z][\w'-]{0,30}(?-i:(?: [A-Z][\w'-]{0,30})?))"
    r"|(?:제|내)\s?이름은\s?([가-힣A-Za-z]{1,20}?)(?:이?야|이에요|예요|입니다|이라고|라고)",
    re.IGNORECASE,
)
# "I'm Alice" may also be "I'm Korean", so it counts only beside the question for the name
_NAME_BESIDE = re.compile(
    r"\b(?:I'm|I am|i'm|i am)\s+(?!Sorry|Korean|American|English|British|Japanese|Chinese|French"
    r"|German|Indian|Canadian|Asking|Not)([A-Z][\w'-]{0,30}(?: [A-Z][\w'-]{0,30})?)"
    r"(?=\s*(?:[.,!?]|$|and\b))"
    r"|(?<![가-힣])(?:나는|난|저는|전)\s?(?!학생|회사원|한국|사람|남자|여자|의사|교사|선생|개발자|직장인)"
    r"([가-힣A-Za-z]{1,20}?)(?:이?야|이에요|예요|입니다|이라고\s?해|라고\s?해)(?![가-힣])"
)
_NAME_ASKED = re.compile(
    r"\bwhat(?:'s| is| was) my name\b|\bdo you (?:know|remember) my name\b|\bwho am i\b"
    r"|내\s?이름(?:이|은)?\s?(?:뭐|무엇|기억|알)|제\s?이름(?:이|은)?\s?(?:뭐|무엇|기억|알)"
    r"|내가 누구",
    re.IGNORECASE,
)


def recall(text: str, history: Sequence[Turn], language: Language, *, message: str) -> str | None:  # noqa: PLR0911 - one return for each form
    """Answer "what did I ask", "repeat that" and "what is my name" from this chat, else None.

    ``text`` is the part that asks, ``message`` the whole it comes from: a name told there counts.
    """
    if len(text) > _LONGEST:
        return None
    korean = language == "ko"
    if _NAME_ASKED.search(text):
        if (name := _name(message, history)) is not None:
            called = with_particle(name, "이라고", "라고")
            return (
                f"이 대화에서 이름이 {called} 하셨어요."
                if korean
                else f"In this chat you told me your name is {name}."
            )
        return (
            "이 대화에서는 이름을 말씀하지 않으셨어요."
            if korean
            else "You have not told me your name in this chat."
        )
    if _REPEAT.search(text):
        last = next(
            (turn["text"] for turn in reversed(history) if turn["role"] == "assistant"), None
        )
        if last is not None:
            return last[:8_000]
    if not _RECALL.search(text):
        return None
    asked = [
        turn["text"].strip() for turn in history if turn["role"] == "user" and turn["text"].strip()
    ]
    if not asked:
        return (
            "이 대화에서는 이것이 첫 메시지예요."
            if korean
            else "This is your first message in this chat."
        )
    chosen = asked[0] if re.search(r"\bfirst\b|처음|첫", text, re.IGNORECASE) else asked[-1]
    shown = " ".join(chosen.split())[:300]
    return f"이렇게 말씀하셨어요: “{shown}”" if korean else f"You wrote: “{shown}”"


def _name(message: str, history: Sequence[Turn]) -> str | None:
    """Return the name told last: in the message itself, or in an earlier one."""
    told = [message, *(turn["text"] for turn in reversed(history) if turn["role"] == "user")]
    for index, text in enumerate(told):
        forms = (_NAME_GIVEN, _NAME_BESIDE) if index == 0 else (_NAME_GIVEN,)
        for form in forms:
            found = [
                group for match in form.finditer(text[:2_000]) for group in match.groups() if group
            ]
            if found:
                return found[-1]
    return None
