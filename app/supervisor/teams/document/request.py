"""What a request about a text asks for: which work, how long, of which text."""

import re
from dataclasses import dataclass
from typing import Literal

Work = Literal["summary", "points", "outline", "facts", "counts", "keywords", "title", "answer"]

_ENGLISH_NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "a": 1,
    "single": 1,
}
_KOREAN_NUMBERS = {
    "한": 1,
    "두": 2,
    "세": 3,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
    "열": 10,
}

_WORDS: tuple[tuple[Work, str], ...] = (
    (
        "counts",
        r"(?:word|character|letter|sentence|paragraph|line|token) ?counts?|how many (?:words"
        r"|characters|letters|sentences|paragraphs|lines|times)|count (?:the "
        r"|all (?:the )?)?(?:words|characters|letters|sentences|paragraphs|lines)"
        r"|reading time|how long (?:does it take|would it take|to) (?:to )?read|글자\s?수"
        r"|단어\s?수|문장\s?수|문단\s?수|몇\s?(?:글자|자|단어|문장|문단|줄)(?:야|이야|인가"
        r"|인지|이에요|예요|\?|$| )|몇 번 (?:나와|나오|등장)|읽는\s?(?:데|시간)",
    ),
    (
        "outline",
        r"\boutlines?\b|table of contents|\btoc\b|\bstructure of\b|\bheadings\b|개요|목차"
        r"|아웃라인|구조를|뼈대",
    ),
    (
        "facts",
        r"\bextract\b|\bpull out\b|\b(?:list|find|get|give me"
        r"|show)\b(?: me)? (?:all )?(?:of )?(?:the )?(?:key )?(?:facts|dates|names|people"
        r"|e-?mails?|e-?mail addresses|amounts|numbers|figures|prices|phone numbers|links"
        r"|urls|places|companies|deadlines)|(?:what|which) (?:are"
        r"|is) (?:all )?(?:the )?(?:key |important |main )?(?:dates?|deadlines?|amounts?"
        r"|numbers|figures|prices|names|people|places|companies|e-?mail addresses|facts)"
        r"|(?:what|which) (?:dates|names|people|amounts|numbers|e-?mails?) (?:are|is|appear"
        r"|does|do)|who (?:is|are) mentioned|(?:key )?facts|추출|뽑아|(?:날짜|이름|금액"
        r"|이메일|메일 주소|전화번호|숫자|링크|사람|인물|사실|정보)(?:를|을|만"
        r"|들)?\s?(?:모두|다|전부|좀)?\s?(?:찾아|정리|알려|나열|뽑|보여)|사실만|팩트",
    ),
    (
        "points",
        r"(?:key|main|important) (?:points?|ideas?|takeaways?|messages?)|bullet[- ]?points?"
        r"|in bullets|takeaways|highlights|핵심|요점|중요한 (?:점|내용|부분)|주요\s?(?:내용"
        r"|포인트|사항)|포인트|불릿",
    ),
    ("keywords", r"\bkey ?words?\b|\bkey terms\b|\btags?\b|키워드|주요 단어|핵심어|태그"),
    (
        "title",
        r"\b(?:title|headline) (?:for|of)|title it|제목(?:을|은)?\s?(?:지어|뽑|달|만들|붙"
        r"|추천)",
    ),
    (
        "summary",
        r"summar(?:y|ise|ize|ising|izing|isation|ization|ies)|\bsum up\b|\btl;?\s?dr\b"
        r"|\bshorten\b|\bcondense\b|\babridge\b|\bdigest\b|\bgist\b|\bin short\b|\brecap\b"
        r"|boil (?:it |this |that )?down|make (?:it|this|that) shorter|shorter version|요약"
        r"|간추|줄여|짧게|한\s?줄로|정리해|정리 좀|간단히 (?:말|정리)|세\s?줄",
    ),
)
_WORKS = tuple((work, re.compile(words, re.IGNORECASE)) for work, words in _WORDS)
_SENTENCES = re.compile(
    r"(?:in|into|to|with|using)?\s*(?:about |at most |up to |max(?:imum)? )?\b(\d{1,2}|one|two"
    r"|three|four|five|six|seven|eight|nine|ten|a|single)[- ](sentences?|lines?|bullets?"
    r"|bullet points?|points?|takeaways|keywords?|items|key points|main points|paragraphs?"
    r"|words)\b",
    re.IGNORECASE,
)
_KOREAN_SENTENCES = re.compile(
    r"(\d{1,2}|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열)\s?(문장|줄|가지|개|항목|마디|문단|포인트)"
)
_REFERS = re.compile(
    r"\b(?:the (?:above|previous|last|earlier|first)|above(?: text| message| article)?|this|that"
    r"|it|my (?:last|previous|earlier) (?:message|text)|earlier (?:text|message)"
    r"|what i (?:pasted|sent|wrote|said)|the text|the article|the passage|the message|the email"
    r"|the document i|the following|below|your (?:last |previous )?(?:answer|reply|response"
    r"|message)|the (?:answer|reply|response)|our (?:conversation|chat)|(?:this"
    r"|the) (?:conversation|chat|discussion))\b"
    r"|위(?:의|에|\s?글|\s?내용|\s?텍스트|\s?문장|\s?메시지)|앞(?:의|에서|\s?글|\s?내용)|방금"
    r"|아까|이\s?(?:글|내용|텍스트|문장|기사|메일|문서)|그\s?(?:글|내용|텍스트)|윗글"
    r"|다음\s?(?:글|내용|텍스트|문장|기사)|아래\s?(?:글|내용|텍스트)?|네\s?(?:답|대답)|답변을"
    r"|대화(?:를|\s?내용)|이거|이것|그거|저거|본문",
    re.IGNORECASE,
)
_ASSISTANT = re.compile(
    r"\b(?:your|the) (?:last |previous )?(?:answer|reply|response)\b|make (?:it|that) shorter"
    r"|네\s?(?:답|대답)|답변",
    re.IGNORECASE,
)
_CONVERSATION = re.compile(
    r"\b(?:our|this|the) (?:whole )?(?:conversation|chat|discussion)\b|대화", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Request:
    """One piece of work on a text."""

    works: tuple[Work, ...]
    count: int | None  # how many sentences, points or keywords are wanted
    unit: str  # "sentences", "points" or "words" when a count is given
    of_assistant: bool
    of_conversation: bool


def works_in(text: str) -> list[Work]:
    """Return the kinds of work a text asks for, in the order of its words."""
    found = [(match.start(), work) for work, words in _WORKS if (match := words.search(text))]
    works = [work for _, work in sorted(found)]
    if "points" in works and "summary" in works:
        works.remove("summary")  # "summarise the key points" is one thing
    return works


def asks_for_work(text: str) -> bool:
    """Tell whether a text asks for something to be done to a text."""
    return bool(works_in(text))


def refers_back(text: str) -> bool:
    """Tell whether a text points at another one: "the above", "위 글"."""
    return _REFERS.search(text) is not None


def read(text: str) -> Request:
    """Read a request; without a known word it is a question to be answered from the text."""
    count, unit = _count(text)
    works = tuple(works_in(text)) or ("answer",)
    return Request(
        works=works,
        count=count,
        unit=unit,
        of_assistant=_ASSISTANT.search(text) is not None,
        of_conversation=_CONVERSATION.search(text) is not None,
    )


def _count(text: str) -> tuple[int | None, str]:
    if match := _SENTENCES.search(text):
        word = match.group(1).lower()
        number = int(word) if word.isdigit() else _ENGLISH_NUMBERS[word]
        kind = match.group(2).lower()
        if kind.startswith("paragraph"):
            return None, ""
        if kind == "words":
            return number, "words"
        return number or None, "points" if kind.startswith(
            ("bullet", "point", "take", "item", "key", "main")
        ) else "sentences"
    if match := _KOREAN_SENTENCES.search(text):
        word = match.group(1)
        number = int(word) if word.isdigit() else _KOREAN_NUMBERS[word]
        return number or None, "sentences" if match.group(2) in {"문장", "줄", "마디"} else "points"
    return None, ""
