"""Finding the text a person pasted into a message, and the words that say what to do with it."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import dataclass

from app.supervisor.offline import sentences
from app.supervisor.teams.document import request

_FENCE = "```"
_SHORTEST_QUOTE = 30  # characters; shorter quotes are words, not texts
_SHORTEST_AFTER_VERB = 80
_LONGEST_REQUEST = 400
_LONG_MESSAGE = 700
_MANY_SENTENCES = 5
_QUOTES = (
    ("“", "”"),
    ("「", "」"),
    ("『", "』"),
    ("«", "»"),
    ('"""', '"""'),
    ('"', '"'),
    ("'''", "'''"),
)
_COLON = re.compile(r":(?=\s|[\"'“「『])|：|[-–—]{1,2}(?=\s)")
_VERB_PHRASE = re.compile(
    r"^\s*(?:(?:please|can you|could you|would you|kindly|hey|hi|ok)[ ,]+)*(?:summari[sz]e"
    r"|sum up|condense|shorten|outline|tl;?dr|extract (?:the )?(?:key )?(?:facts|dates|names"
    r"|numbers|points|emails)(?: from)?|give me (?:a |the )?(?:summary|outline|gist"
    r"|key points)(?: of)?|(?:list|find) (?:all )?(?:the )?(?:dates|names|facts|key points"
    r"|emails)(?: in| from)?)"
    r"(?: in \w+ (?:sentences?|lines?|bullets?|words))?(?: (?:the |this |that )?(?:following"
    r"|text|article|passage|paragraph|email|message|story|notes?|report|for me|below)| this"
    r"| it)*\s*[:,.\-–]?\s*",
    re.IGNORECASE,
)
_KOREAN_AT_END = re.compile(
    r"[^.!?\n]{0,60}(?:요약|정리|간추|줄여|핵심|요점|개요|목차|추출|뽑아|키워드|글자\s?수"
    r"|단어\s?수|몇\s?(?:글자|단어|문장))[^.!?\n]{0,40}[.!?]?\s*$"
)


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text with the request about it; the request may be empty."""

    request: str
    body: str


def find(message: str) -> Pasted | None:
    """Return the pasted text of a message, or None when it is all request.

    Looks for a code fence, a long quotation, what follows a colon or a line that asks for
    work, what stands before such a last line, and a long text without any request.
    """
    for finder in (_fenced, _lines, _after_colon, _quoted, _after_verb, _before_request, _long):
        if (found := finder(message)) is not None and found.body.strip():
            return found
    return None


def _fenced(message: str) -> Pasted | None:
    start = message.find(_FENCE)
    if start < 0:
        return None
    line_end = message.find("\n", start)
    body_start = line_end + 1 if 0 < line_end - start <= 20 else start + 3
    end = message.find(_FENCE, body_start)
    end = end if end >= 0 else len(message)
    rest = f"{message[:start].strip()} {message[end + 3 :].strip()}".strip()
    return Pasted(rest, message[body_start:end].strip("\n"))


def _lines(message: str) -> Pasted | None:  # noqa: PLR0911 - one return for each form
    """Split off a first or last line that asks for work, or asks about the text."""
    lines = message.strip().splitlines()
    if len(lines) < 2:
        return None
    first, last = lines[0].strip(), lines[-1].strip()
    rest_after, rest_before = "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip()
    if len(first) <= _LONGEST_REQUEST and request.asks_for_work(first):
        colon = _COLON.search(first)
        if (
            colon
            and len(first) - colon.end() > 20
            and request.asks_for_work(first[: colon.start()])
        ):
            return Pasted(first[: colon.start()], f"{first[colon.end() :].strip()}\n{rest_after}")
        return Pasted(first.rstrip(":： "), rest_after) if _is_text(rest_after) else None
    if len(last) <= _LONGEST_REQUEST and request.asks_for_work(last) and _is_text(rest_before):
        return Pasted(last, rest_before)
    if (
        len(first) <= _LONGEST_REQUEST
        and first.endswith((":", "："))
        and len(rest_after) > _SHORTEST_AFTER_VERB
    ):
        return Pasted(first.rstrip(":： "), rest_after)
    long_rest = _LONG_MESSAGE // 3
    if first.endswith(("?", "？")) and len(rest_after) > long_rest and _is_text(rest_after):
        return Pasted(first, rest_after)
    if (
        last.endswith(("?", "？"))
        and len(last) <= _LONGEST_REQUEST
        and len(rest_before) > long_rest
        and _is_text(rest_before)
    ):
        return Pasted(last, rest_before)
    return None


def _is_text(text: str) -> bool:
    """Tell whether lines hold prose or notes rather than more requests."""
    if len(text) < 20:
        return False
    asking = [line for line in text.splitlines() if line.strip().endswith(("?", "？"))]
    return 2 * len(asking) <= len(text.splitlines())


def _quoted(message: str) -> Pasted | None:
    for opening, closing in _QUOTES:
        start = message.find(opening)
        if start < 0:
            continue
        end = message.rfind(closing)
        inside = message[start + len(opening) : end] if end > start else ""
        rest = f"{message[:start].strip(' :')} {message[end + len(closing) :].strip()}".strip()
        if (
            len(inside) >= _SHORTEST_QUOTE
            and request.asks_for_work(rest)
            and len(rest) <= min(_LONGEST_REQUEST, 3 * len(inside))
        ):
            return Pasted(rest, inside)
    return None


def _after_colon(message: str) -> Pasted | None:
    match = _COLON.search(message[: _LONGEST_REQUEST + 2])
    if match is None:
        return None
    head, body = message[: match.start()], message[match.end() :].strip()
    if any(opening in head for opening, _ in _QUOTES):
        return None
    if request.asks_for_work(head) and len(body) >= 20:
        return Pasted(head.strip(), body)
    return None


def _after_verb(message: str) -> Pasted | None:
    match = _VERB_PHRASE.match(message)
    if match is None or not match.group().strip():
        return None
    body = message[match.end() :].strip()
    if len(body) >= _SHORTEST_AFTER_VERB and len(sentences.split(body)) >= 2:
        return Pasted(match.group().strip(), body)
    return None


def _before_request(message: str) -> Pasted | None:
    """Split off a last sentence that asks for work on what stands before it."""
    found = sentences.split(message)
    if len(found) < 2:
        return None
    last = found[-1]
    at = message.rfind(last[:40])
    body = message[:at].strip() if at > 0 else ""
    if not request.asks_for_work(last) or len(last) > _LONGEST_REQUEST or len(body) < 30:
        return None
    if request.refers_back(last) or len(body) > 3 * len(last) or _KOREAN_AT_END.search(last):
        return Pasted(last, body)
    return None


def _long(message: str) -> Pasted | None:
    if len(message) < _LONG_MESSAGE:
        return None
    found = sentences.split(message)
    if len(found) < _MANY_SENTENCES:
        return None
    asking = [one for one in found if one.rstrip().endswith(("?", "？"))]
    if len(asking) * 3 > len(found):
        return None
    for place in (-1, 0):
        if found[place].rstrip().endswith(("?", "？")) and len(found[place]) <= _LONGEST_REQUEST:
            body = (
                message.replace(found[place], "", 1).strip() if found[place] in message else message
            )
            return Pasted(found[place], body)
    return Pasted("", message)
