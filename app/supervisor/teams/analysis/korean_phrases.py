"""Arithmetic said in Korean, rewritten as an expression over the same atoms."""

import re

from app.supervisor.teams.analysis.clause import pattern

OPERAND = r"(?:<N>(?:\^(?:<N>|[0-9]{1,3})|!)?|<P>|\([^()]{0,80}\))"


_KOREAN_OPS = {
    "더하": "+",
    "더한": "+",
    "더해": "+",
    "빼": "-",
    "뺀": "-",
    "곱하": "*",
    "곱한": "*",
}


_KOREAN_OPS |= {
    "곱해": "*",
    "나누": "/",
    "나눈": "/",
    "나눠": "/",
    "나눴": "/",
    "합하": "+",
    "뺐": "-",
}


_KOREAN_OPS |= {"더했": "+", "곱했": "*", "합친": "+"}


KOREAN: tuple[tuple[re.Pattern[str], str], ...] = (
    (pattern(rf"(?P<x>{OPERAND})의 (?P<y><P>)"), r"(\g<y> of \g<x>)"),
    (
        pattern(
            rf"(?P<x>{OPERAND})(?:을|를) (?P<y>{OPERAND})에(?:다가|다)? 더(?:하면|한|해)(?:면| 값)?"
        ),
        r"(\g<y> + \g<x>)",
    ),
    (
        pattern(
            rf"(?P<x>{OPERAND})(?:을|를|은|는)? (?P<y>{OPERAND})(?:으로|로) 나누?(?:눈"
            rf"|었을\s?때(?:의)?|눌\s?때(?:의)?|면|누면|면의)? 나머지"
        ),
        r"\g<x> mod \g<y>",
    ),
    (
        pattern(
            rf"(?P<x>{OPERAND})(?:을|를) (?P<y>{OPERAND})(?:으로|로) 나눈? ?(?:면|누면|었을 때"
            rf"|을 때)?(?:의)? ?몫"
        ),
        r"\g<x> // \g<y>",
    ),
    (
        pattern(
            rf"(?P<x>{OPERAND})(?:와|과|하고|이랑|랑|,) (?P<y>{OPERAND})(?:의|를|을)? (?:합계|합"
            rf"|더하면|더한|합하면|합친)"
        ),
        r"(\g<x> + \g<y>)",
    ),
    (
        pattern(rf"(?P<x>{OPERAND})(?:와|과|하고|이랑|랑) (?P<y>{OPERAND})의 (?:차이|차)"),
        r"abs(\g<x> - \g<y>)",
    ),
    (
        pattern(
            rf"(?P<x>{OPERAND})(?:와|과|하고|이랑|랑) (?P<y>{OPERAND})(?:의|를|을)? ?곱(?:하면|한)?"
        ),
        r"(\g<x> * \g<y>)",
    ),
    (pattern(r"(?P<x><N>)의? (?:제곱근|루트)"), r"sqrt \g<x>"),
    (pattern(r"(?P<x><N>)의? 세제곱근"), r"cbrt \g<x>"),
    (pattern(r"루트 (?P<x><N>|\()"), r"sqrt \g<x>"),
    (pattern(r"(?P<x><N>)의? (?P<y><N>) ?(?:제곱|승)"), r"\g<x>^\g<y>"),
    (pattern(r"(?P<x><N>)의? 세제곱"), r"\g<x>^3"),
    (pattern(r"(?P<x><N>)의? 제곱"), r"\g<x>^2"),
    (pattern(r"(?P<x><N>)의? ?(?:팩토리얼|계승)"), r"\g<x>!"),
    (pattern(rf"(?P<x>{OPERAND})의 (?:절반|반)"), r"(\g<x> / 2)"),
    (pattern(rf"(?P<x>{OPERAND})의 (?P<y><N>)배"), r"(\g<x> * \g<y>)"),
    (pattern(rf"(?P<x>{OPERAND})의 (?P<y><N>)분의 (?P<z><N>)"), r"(\g<x> * \g<z> / \g<y>)"),
    (pattern(rf"(?P<x>{OPERAND})의 (?P<y><P>)"), r"(\g<y> of \g<x>)"),
    (pattern(r"(?P<y><N>)분의 (?P<z><N>)"), r"(\g<z> / \g<y>)"),
    (pattern(r"(?P<f>사인|코사인|탄젠트|sin|cos|tan) ?(?P<x><N>) ?(?:°|도)"), r"\g<f>(\g<x>°)"),
    (pattern(r"로그 ?(?P<x><N>)"), r"log(\g<x>)"),
)


_KOREAN_FIRST = pattern(
    rf"(?P<x>{OPERAND})(?:에서|에다가|에다|에|을|를|와|과|하고)? (?P<y>{OPERAND})(?:을|를|으로"
    rf"|로)? "
    rf"(?P<o>더하|더한|더해|더했|빼|뺀|뺐|곱하|곱한|곱해|곱했|나누|나눈|나눠|나눴|합하|합친)"
    r"(?:(?:어)?서|었|하)?(?:면서|면|고|을\s?때|값|수|기|을|,|\s)*"
)


_KOREAN_NEXT = pattern(
    rf"^ ?(?:그리고|거기에|거기서|다시|또|값에|값을|것에|것을|걸|후|다음|뒤|,"
    rf"|\s)*(?P<y>{OPERAND})(?:을|를|으로|로)? "
    rf"(?P<o>더하|더한|더해|더했|빼|뺀|뺐|곱하|곱한|곱해|곱했|나누|나눈|나눠|나눴)"
    r"(?:(?:어)?서|었)?(?:면|고|을\s?때|값|수|,|\s)*"
)


KOREAN_INFIX = (
    ("더하기", " + "),
    ("원주율", " pi "),
    ("플러스", " + "),
    ("빼기", " - "),
    ("마이너스", " - "),
    ("곱하기", " * "),
    ("나누기", " / "),
    ("사인", "sin"),
    ("코사인", "cos"),
    ("탄젠트", "tan"),
)


_MOST_ROUNDS = 12


def settled(shape: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    """Apply the rules until nothing changes."""
    for _ in range(_MOST_ROUNDS):
        before = shape
        for spoken, replacement in rules:
            shape = spoken.sub(replacement, shape)
        if shape == before:
            break
    return shape


def korean_chain(shape: str) -> str:
    """Rewrite "3에 5를 더하고 2를 곱하면" as ((3 + 5) * 2)."""
    match = _KOREAN_FIRST.search(shape)
    if match is None:
        return shape
    built = f"({match['x']} {_KOREAN_OPS[match['o']]} {match['y']})"
    rest = shape[match.end() :]
    for _ in range(_MOST_ROUNDS):
        following = _KOREAN_NEXT.search(rest)
        if following is None:
            break
        built = f"({built} {_KOREAN_OPS[following['o']]} {following['y']})"
        rest = rest[following.end() :]
    return f"{shape[: match.start()]}{built} {rest}"
