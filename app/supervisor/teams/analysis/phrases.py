"""Arithmetic said in words, rewritten as an expression over the same atoms."""

import re

from app.supervisor.teams.analysis.clause import pattern
from app.supervisor.teams.analysis.korean_phrases import (
    KOREAN,
    KOREAN_INFIX,
    OPERAND,
    korean_chain,
    settled,
)

_FILLERS = re.compile(
    r"^(?:(?:so|ok(?:ay)?|and|then|now|hey|please|also|first|well|um|quickly|just"
    r"|is it true that)[ ,:]+)*"
    r"(?:(?:wh?at(?:'s| is| are| does| do you get (?:if|when) (?:you|i|we))|whats|how much (?:is"
    r"|are|do you get (?:if|when) you)|calculate|compute|evaluate|solve"
    r"|work out|find|convert|express|write|turn|change|simplify|give me|tell me|figure out"
    r"|can you (?:please )?(?:calculate|compute|do|solve|work out|tell me)"
    r"|could you (?:please )?(?:calculate|compute|work out|tell me)|please (?:calculate|compute)"
    r"|i need|what would be|what'd be|do the math(?: on)?|math|show me (?:the |your )?(?:steps"
    r"|work|working|calculation) (?:for|of)|walk me through)[ :]+)?"
    r"(?:what(?:'s| is) |the (?:exact )?(?:value|result|answer) (?:of|to) |the )?",
    re.IGNORECASE,
)


_ENDINGS = (
    "please",
    "for me",
    "exactly",
    "equals",
    "equal to",
    "equal",
    "step by step",
    "showing the steps",
    "showing your steps",
    "showing steps",
    "show the steps",
    "show your steps",
    "show your work",
    "show steps",
    "show me the steps",
    "with steps",
    "and",
    "make",
    "in total",
    "altogether",
    "worth",
    "to",
    "is",
    "then",
)


_KOREAN_STARTS = re.compile(
    r"^(?:(?:그럼|그러면|그리고|혹시|음|저기|자|계산|계산해\s?(?:줘|주세요)"
    r"|다음을\s?계산해\s?(?:줘|주세요))[ ,:]+)*"
)


_KOREAN_ENDINGS = (
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "값",
    "답",
    "결과",
    "얼마",
    "몇",
    "무엇",
    "뭐",
    "뭔",
    "인가요",
    "인가",
    "인지",
    "이야",
    "야",
    "예요",
    "이에요",
    "에요",
    "이지",
    "지",
    "일까요",
    "일까",
    "될까요",
    "입니까",
    "됩니까",
    "되나요",
    "되나",
    "돼요",
    "돼",
    "되니",
    "되지",
    "이죠",
    "죠",
    "니",
    "요",
    "계산",
    "해줘",
    "해줘요",
    "해 줘",
    "해주세요",
    "해 주세요",
    "해봐",
    "해 봐",
    "좀",
    "알려줘",
    "알려 줘",
    "알려주세요",
    "알려줄래",
    "구해줘",
    "구해 줘",
    "구해주세요",
    "구하면",
    "구하시오",
    "하면",
    "나와요",
    "나와",
    "나오나요",
    "합계",
    "총",
    "모두",
    "전부",
    "이면",
    "이라면",
    "풀어줘",
    "풀어 줘",
    "풀어주세요",
    "까",
    "하세요",
    "한 값",
    "한 결과",
    "줘",
    "해",
    "될까",
    "이란",
    "란",
    "단계별로",
    "이고",
    "고",
    "며",
    "나타내줘",
    "나타내",
    "나타내면",
    "나타내시오",
    "표현해줘",
    "표현하면",
    "바꿔줘",
    "바꾸면",
    "바꿔",
    "변환해줘",
    "변환하면",
    "고치면",
    "구하라",
    "과정도",
    "보여줘",
)


_LONGEST_FIRST = tuple(sorted(_KOREAN_ENDINGS, key=len, reverse=True))


_ENGLISH: tuple[tuple[re.Pattern[str], str], ...] = (
    (pattern(rf"\bsquare root (?:of )?(?={OPERAND}|-)"), "sqrt "),
    (pattern(rf"\bcube root (?:of )?(?={OPERAND}|-)"), "cbrt "),
    (pattern(rf"(?P<d><N>) root of (?P<x>{OPERAND})"), r"root(\g<d>,\g<x>)"),
    (pattern(rf"\bfactorial of (?P<x>{OPERAND})"), r"fact \g<x>"),
    (pattern(r"\bsquare of (?P<x><N>)"), r"\g<x>^2"),
    (pattern(r"\bcube of (?P<x><N>)"), r"\g<x>^3"),
    (
        pattern(
            rf"(?P<x>{OPERAND}) (?:divided|split|cut) (?:in)?to (?P<y><N>)(?: equal)?(?: parts"
            rf"| pieces| groups| shares)?"
        ),
        r"(\g<x> / \g<y>)",
    ),
    (pattern(r"(?P<x><N>) factorial"), r"\g<x>!"),
    (pattern(r"(?P<x><N>|\)) squared"), r"\g<x>^2"),
    (pattern(r"(?P<x><N>|\)) cubed"), r"\g<x>^3"),
    (
        pattern(
            r"(?P<x><N>|\)) (?:raised )?to the (?:power (?:of )?|exponent (?:of )?)(?P<y>-?<N>)"
        ),
        r"\g<x>^\g<y>",
    ),
    (pattern(r"(?P<x><N>|\)) (?:raised )?to the (?P<y><N>)(?: power)?"), r"\g<x>^\g<y>"),
    (pattern(r"(?P<x><N>|\)) to the (?P<y><N>)(?: power)?"), r"\g<x>^\g<y>"),
    (
        pattern(
            rf"\bremainder (?:when|of|if|from|after) (?:dividing )?(?P<x>{OPERAND}) (?:is |gets "
            rf"|was )?(?:divided )?by (?P<y>{OPERAND})"
        ),
        r"\g<x> mod \g<y>",
    ),
    (
        pattern(
            rf"\bremainder (?:when|of|if|from|after) (?P<x>{OPERAND}) (?:/|÷) (?P<y>{OPERAND})"
        ),
        r"\g<x> mod \g<y>",
    ),
    (
        pattern(rf"\b(?:subtract|take(?: away)?|deduct) (?P<x>{OPERAND}) from (?P<y>{OPERAND})"),
        r"(\g<y> - \g<x>)",
    ),
    (pattern(rf"\badd (?P<x>{OPERAND}) (?:and|to|with) (?P<y>{OPERAND})"), r"(\g<x> + \g<y>)"),
    (
        pattern(rf"\bmultiply (?P<x>{OPERAND}) (?:by|and|with) (?P<y>{OPERAND})"),
        r"(\g<x> * \g<y>)",
    ),
    (pattern(rf"\bdivide (?P<x>{OPERAND}) by (?P<y>{OPERAND})"), r"(\g<x> / \g<y>)"),
    (pattern(rf"\bproduct of (?P<x>{OPERAND}) and (?P<y>{OPERAND})"), r"(\g<x> * \g<y>)"),
    (pattern(rf"\bsum of (?P<x>{OPERAND}) and (?P<y>{OPERAND})"), r"(\g<x> + \g<y>)"),
    (
        pattern(rf"\bdifference (?:between|of) (?P<x>{OPERAND}) and (?P<y>{OPERAND})"),
        r"abs(\g<x> - \g<y>)",
    ),
    (
        pattern(
            rf"\bquotient (?:of|when) (?P<x>{OPERAND}) (?:and|is divided by"
            rf"|divided by) (?P<y>{OPERAND})"
        ),
        r"(\g<x> / \g<y>)",
    ),
    (pattern(rf"\b(?:twice|double|doubling) (?P<x>{OPERAND})"), r"(2 * \g<x>)"),
    (pattern(rf"\b(?:triple|thrice|tripling) (?P<x>{OPERAND})"), r"(3 * \g<x>)"),
    (pattern(rf"\b(?:halve|half) (?:of )?(?P<x>{OPERAND})"), r"(\g<x> / 2)"),
    (pattern(rf"(?P<x>{OPERAND}) times as (?:much|many) as (?P<y>{OPERAND})"), r"\g<x> * \g<y>"),
    (pattern(rf"\b(?:absolute value|modulus) of (?P<x>-?{OPERAND})"), r"abs(\g<x>)"),
    (pattern(r"\b(?:natural log(?:arithm)?|ln) (?:of )?(?P<x><N>)"), r"ln(\g<x>)"),
    (pattern(r"\blog(?:arithm)? base (?P<b><N>) (?:of )?(?P<x><N>)"), r"log(\g<b>,\g<x>)"),
    (
        pattern(r"\blog(?:arithm)? (?:of )?(?P<x><N>) (?:in |to )?(?:the )?base (?P<b><N>)"),
        r"log(\g<b>,\g<x>)",
    ),
    (pattern(r"\blog(?:arithm)? of (?P<x><N>)"), r"log(\g<x>)"),
    (pattern(r"\blog_?(?P<b>2|10)\s?\(? ?(?P<x><N>)\)?"), r"log\g<b>(\g<x>)"),
    (
        pattern(r"\b(?P<f>sin|cos|tan)(?:e|ine|gent)? (?:of )?(?P<x><N>) ?(?:°|degrees?|deg)"),
        r"\g<f>(\g<x>°)",
    ),
    (
        pattern(r"\b(?P<f>sin|cos|tan)(?:e|ine|gent)? (?:of )?(?P<x><N>) rad(?:ians?)?"),
        r"\g<f>(\g<x>)",
    ),
    (pattern(r"\b(?P<f>sin|cos|tan)(?:e|ine|gent)? of "), r"\g<f> "),
    (pattern(r"(?P<x><N>) less than (?P<y><N>)"), r"(\g<y> - \g<x>)"),
    (pattern(r"(?P<x><N>) more than (?P<y><N>)"), r"(\g<y> + \g<x>)"),
)


_ENGLISH_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"\b(?:plus|added to|and then add|then add|and add"
            r"|increased by(?= ?[\U000f0000-\U000f7fff]))\b",
            re.IGNORECASE,
        ),
        " + ",
    ),
    (
        re.compile(
            r"\b(?:minus|less|take away|and then subtract|then subtract|and subtract"
            r"|decreased by(?= ?[\U000f0000-\U000f7fff]))\b",
            re.IGNORECASE,
        ),
        " - ",
    ),
    (
        re.compile(
            r"\b(?:multiplied by|multiplied with|times|and then multiply by|then multiply by"
            r"|and multiply by)\b",
            re.IGNORECASE,
        ),
        " * ",
    ),
    (
        re.compile(
            r"\b(?:divided by|over|and then divide by|then divide by|and divide by)\b",
            re.IGNORECASE,
        ),
        " / ",
    ),
    (re.compile(r"\b(?:modulo|modulus)\b", re.IGNORECASE), " mod "),
)


def strip_question(shape: str) -> str:
    """Drop the words around a calculation: "what is", "calculate", "…은 얼마야?"."""
    shape = _FILLERS.sub("", shape.strip(), count=1)
    shape = _KOREAN_STARTS.sub("", shape, count=1)
    return without_endings(shape)


def without_endings(shape: str) -> str:
    """Drop the words and marks that end a question."""
    while True:
        shape = shape.rstrip(" ?.=,;:~")
        if shape.endswith(" !"):
            shape = shape[:-2]
            continue
        lower = shape.lower()
        for ending in _ENDINGS:
            if lower.endswith(ending) and not shape[-len(ending) - 1 : -len(ending)].isalpha():
                shape = shape[: -len(ending)]
                break
        else:
            match = next((ending for ending in _LONGEST_FIRST if shape.endswith(ending)), "")
            if not match:
                return shape
            shape = shape[: -len(match)]


def to_expression(shape: str) -> str:
    """Rewrite spoken arithmetic into signs; what is not arithmetic stays as it is."""
    shape = settled(shape, _ENGLISH)
    for word, replacement in _ENGLISH_WORDS:
        shape = word.sub(replacement, shape)
    for spoken, sign in KOREAN_INFIX:
        shape = shape.replace(spoken, sign)
    return settled(korean_chain(settled(shape, KOREAN)), KOREAN)
