"""Facts that stand plainly in a text: dates, amounts, people, addresses, stated values."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Callable
from datetime import date

from app.supervisor.offline import sentences
from app.supervisor.offline.types import Language
from app.supervisor.teams.analysis import moments

_MOST = 25
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9-"
    r"]{1,62}){1,5}"
)
_LINK = re.compile(r"https?://[^\s<>\"'）)\]]{3,300}")
_PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)[ -]?|\d{2,4}[ -])\d{3,4}[ -]\d{4}(?![\w-])"
)
_CODES = "USD|EUR|KRW|GBP|JPY|CNY|CHF|CAD|AUD|SGD|HKD|INR|NZD|SEK|NOK|DKK"
_AMOUNT = re.compile(
    rf"(?<![A-Za-z])(?:{_CODES})\s?\d[\d,]*(?:\.\d+)?(?:\s?(?:million|billion|trillion|thousand)\b)?|"
    r"(?:US)?[$€£¥₩]\s?\d[\d,]*(?:\.\d+)?(?:\s?(?:million|billion|trillion|thousand|bn|[kKmM])\b)?"
    r"|(?<![\d.,-])\d[\d,]{0,20}(?:\.\d+)?\s?[천백십]?[조억만](?:\s?\d[\d,]{0,20}\s?[천백십]?[조"
    r"억만천백]?){0,3}\s?(?:원|달러|유로|엔)"
    r"|(?<![\d.,-])\d[\d,]*(?:\.\d+)?\s?(?:%|percent\b|퍼센트|[천백]\s?원|원(?!형|주|소|칙|래)"
    r"|달러|유로|엔(?!진)"
    rf"|dollars?\b|euros?\b|yen\b|won\b|(?:{_CODES})(?![A-Za-z])"
    r"|(?:million|billion|thousand)\b)"
)
_QUANTITY = re.compile(
    r"(?<![\d.,/-])\d[\d,]*(?:\.\d+)?\s?(?:km/h|km|kg|mg|cm|mm|GB|MB|TB|KB|kWh|MW|hours?"
    r"|minutes?|seconds?|days?|weeks?|months?|years?|people|users?|employees|customers|units"
    r"|tons?|tonnes|meters?|metres?|miles?|degrees|명|개월|개|대|건|시간|분|초|주|년간|살|세|층"
    r"|회|번|배|톤|평|킬로미터|킬로그램|미터)(?![A-Za-z])"
)
_NAME = re.compile(
    r"(?<![\w.])(?:(?:Mr|Ms|Mrs|Dr|Prof)\.?\s)?[A-Z][a-z]+(?:[-']?[A-Z][a-z]+)?(?:\s(?:[A-Z]\."
    r"|of|de|van|von|the|&)?\s?[A-Z][A-Za-z]+){1,3}"
)
_TITLED = re.compile(r"(?:Mr|Ms|Mrs|Dr|Prof)\.?\s[A-Z][a-z]+")
_KOREAN_NAME = re.compile(
    r"(?<![가-힣])([김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구"
    r"민류진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용예경"
    r"봉][가-힣]{1,2})(?:\s[가-힣]{1,4}|\s?)(?:씨|님|대표|교수|박사|의원|장관|대통령|회장|사장"
    r"|팀장|과장|부장|대리|이사|기자|감독|선수|작가|선생|원장|실장|총장|위원장|매니저|연구원"
    r"|국장|처장|청장|차관|본부장|센터장|소장|의장|시장|지사|변호사|의사|검사|판사|총리|회원"
    r"|학생)(?![가-힣]*[다요]\b)"
)
_WORDS_BEFORE_NAME = frozenset(
    [
        "The",
        "A",
        "An",
        "In",
        "On",
        "At",
        "By",
        "For",
        "From",
        "With",
        "And",
        "But",
        "Or",
        "As",
        "If",
        "When",
        "While",
        "After",
        "Before",
        "Our",
        "Their",
        "His",
        "Her",
        "Its",
        "This",
        "That",
        "These",
        "Those",
        "It",
        "We",
        "They",
        "He",
        "She",
        "I",
        "Then",
        "There",
        "Here",
        "However",
        "Also",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ]
)
_MONTHS = frozenset(
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
)
_PAIR = re.compile(
    r"^\s*(?:[-*•]\s*)?(?:\*\*)?([A-Za-z가-힣][A-Za-z가-힣0-9 "
    r"/()_-]{0,40}?)(?:\*\*)?\s*[:：=]\s*(?:\*\*)?\s*(\S.{0,160})$"
)
_YEAR = re.compile(
    r"(?<![\d.,$€£₩-])(?:in |since |by |from |until )((?:19|20)\d\d)(?![\d,.]\d|%)|(?<!\d)((?:19"
    r"|20)\d\d)년(?!\s?\d{1,2}월)",
    re.IGNORECASE,
)
_MONTH_YEAR = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November"
    r"|December) (?:19|20)\d\d\b|(?<!\d)(?:(?:19|20)\d\d년\s?)?\d{1,2}월(?!\s?\d)(?!\d)"
    r"|\bQ[1-4] (?:19|20)\d\d\b"
)
_QUESTION_WORDS = re.compile(r"\b(?:http|https)$")

_KINDS: tuple[tuple[str, str, str, re.Pattern[str]], ...] = tuple(
    (name, english, korean, re.compile(asked, re.IGNORECASE))
    for name, english, korean, asked in (
        ("dates", "Dates", "날짜", r"\bdates?\b|deadlines?|\bwhen\b|날짜|일정|마감|언제"),
        ("times", "Times", "시각", r"\btimes?\b|시각|시간대"),
        (
            "amounts",
            "Amounts",
            "금액·비율",
            r"amounts?|prices?|money|cost|figures|percent|금액|가격|비용|퍼센트|돈",
        ),
        ("quantities", "Quantities", "수량", r"\bnumbers\b|quantit|figures|숫자|수치|수량"),
        (
            "names",
            "Names",
            "이름",
            r"\bnames?\b|people|persons?|\bwho\b|compan|places|이름|사람|인물|회사|누구",
        ),
        ("emails", "E-mail", "이메일", r"e-?mails?|이메일|메일"),
        ("phones", "Phone", "전화번호", r"phones?|전화"),
        ("links", "Links", "링크", r"links?|urls?|링크|주소"),
        ("values", "Stated values", "항목", r"key[- ]?values?|fields|항목"),
    )
)


def extract(body: str, request: str, language: Language) -> str:
    """Return the facts of a text as Markdown, only the kinds asked for when some are named."""
    asked = [name for name, _, _, words in _KINDS if words.search(request)]
    if "figures" in request.lower():
        asked = list(dict.fromkeys([*asked, "amounts", "quantities"]))
    if "emails" in asked and "links" in asked and "메일 주소" in request:
        asked.remove("links")
    lines = []
    for name, english, korean, _ in _KINDS:
        if asked and name not in asked:
            continue
        found = _FINDERS[name](body)
        if found:
            shown = ", ".join(_safe(one) for one in found[:_MOST])
            more = f" (+{len(found) - _MOST})" if len(found) > _MOST else ""
            lines.append(f"- **{_say(language, english, korean)}**: {shown}{more}")
        elif asked:
            none = _say(language, "none found", "찾지 못했어요")
            lines.append(f"- **{_say(language, english, korean)}**: {none}")
    if not lines:
        return _say(
            language,
            "I found no dates, amounts, names, addresses or stated values in this text.",
            "이 글에서 날짜, 금액, 이름, 주소 같은 사실을 찾지 못했어요.",
        )
    return f"**{_say(language, 'Facts in the text', '글에 있는 사실')}**\n\n" + "\n".join(lines)


def _safe(text: str) -> str:
    return re.sub(r"([*_`\[\]])", r"\\\1", " ".join(text.split()))


def _distinct(found: list[tuple[int, str]]) -> list[str]:
    return list(dict.fromkeys(text.strip(" ,.") for _, text in sorted(found)))


def _dates(body: str) -> list[str]:
    today = date(2000, 1, 1)  # only the words are kept, so any day serves
    spans = [
        (start, end)
        for start, end, day in moments.days(body, today)
        if day.found is not None or day.in_calendar
    ]
    spans += [match.span() for match in _YEAR.finditer(body)]
    spans += [match.span() for match in _MONTH_YEAR.finditer(body)]
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    found = [
        (start, re.sub(r"^(?:in|since|by|from|until) ", "", body[start:end], flags=re.IGNORECASE))
        for start, end in kept
    ]
    return _distinct(found)


def _times(body: str) -> list[str]:
    return _distinct([(start, body[start:end]) for start, end, _ in moments.times(body)])


def _by(pattern: re.Pattern[str]) -> Callable[[str], list[str]]:
    return lambda body: _distinct(
        [(match.start(), match.group()) for match in pattern.finditer(body)]
    )


def _names(body: str) -> list[str]:
    found = []
    for match in _NAME.finditer(body):
        words = match.group().split()
        skipped = 0
        while words and words[0] in _WORDS_BEFORE_NAME:
            skipped += 1
            words = words[1:]
        kept = [word for word in words if word not in _MONTHS]
        if len(kept) >= 2 and len(kept) == len(words):
            found.append((match.start() + skipped, " ".join(words)))
    found += [(match.start(), match.group()) for match in _TITLED.finditer(body)]
    found += [(match.start(), match.group()) for match in _KOREAN_NAME.finditer(body)]
    names = _distinct(found)
    return [name for name in names if not any(name != other and name in other for other in names)]


def _values(body: str) -> list[str]:
    found = []
    for number, line in enumerate(body.splitlines()):
        match = _PAIR.match(line) if len(line) < 240 else None
        if (
            match
            and len(match.group(1).split()) <= 5
            and not _QUESTION_WORDS.search(match.group(1))
        ):
            found.append((number, f"{match.group(1).strip()}: {match.group(2).strip()}"))
    return _distinct(found)


def _phones(body: str) -> list[str]:
    return [phone for phone in _by(_PHONE)(body) if len(re.sub(r"\D", "", phone)) >= 9]


_FINDERS: dict[str, Callable[[str], list[str]]] = {
    "dates": _dates,
    "times": _times,
    "amounts": _by(_AMOUNT),
    "quantities": _by(_QUANTITY),
    "names": _names,
    "emails": _by(_EMAIL),
    "phones": _phones,
    "links": _by(_LINK),
    "values": _values,
}


def count(body: str, request: str, language: Language) -> str:
    """Return how long a text is, and how often a quoted word stands in it."""
    words = body.split()
    signs, without = len(body), len(re.sub(r"\s", "", body))
    found = sentences.split(body)
    hangul = sum("가" <= letter <= "힣" for letter in body)
    korean = hangul * 3 > without
    minutes = without / 500 if korean else len(words) / 220
    spent = _say(language, f"about {max(1, round(minutes))} min", f"약 {max(1, round(minutes))}분")
    blocks = len(sentences.paragraphs(body))
    lines = []
    asked = re.search(r"how many times|몇 번", request, re.IGNORECASE)
    quoted = re.search(
        r"[\"'“‘「]([^\"'”’」]{1,60})[\"'”’」]|(?:the )?word (\w{1,40})|times (?:does|is"
        r"|do) (?:the word )?(\w{1,40})",
        request,
        re.IGNORECASE,
    )
    if asked and quoted:
        needle = next(group for group in quoted.groups() if group)
        times = (
            body.lower().count(needle.lower())
            if not needle.isascii()
            else len(re.findall(rf"(?<!\w){re.escape(needle)}(?!\w)", body, re.IGNORECASE))
        )
        return _say(
            language,
            f"**“{_safe(needle)}” occurs {times} times**",
            f"**“{_safe(needle)}”: {times}번 나와요**",
        )
    lead = _say(
        language,
        f"{len(words):,} words, {signs:,} characters, {len(found):,} "
        f"sentence{'s' if len(found) != 1 else ''}",
        f"단어 {len(words):,}개, 글자 {signs:,}자, 문장 {len(found):,}개",
    )
    lines = [
        f"**{lead}**",
        "",
        _say(language, f"- Without spaces: {without:,} characters", f"- 공백 제외: {without:,}자"),
        _say(language, f"- Paragraphs: {blocks:,}", f"- 문단: {blocks:,}개"),
        _say(language, f"- Reading time: {spent}", f"- 읽는 시간: {spent}"),
    ]
    return "\n".join(lines)


def _say(language: Language, english: str, korean: str) -> str:
    return korean if language == "ko" else english
