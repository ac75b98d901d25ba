"""Korean particles that depend on the sound before them."""

_FINAL_DIGITS = "013678"  # 영 일 삼 육 칠 팔 end in a consonant
_FINAL_LETTERS = "lmnrLMNR"
_HANGUL_BASE, _HANGUL_END, _FINALS = 0xAC00, 0xD7A3, 28
_RIEUL = 8


def _final(text: str) -> int | None:
    """Return the index of the last syllable's final consonant, or None when unknown."""
    for character in reversed(text):
        if _HANGUL_BASE <= ord(character) <= _HANGUL_END:
            return (ord(character) - _HANGUL_BASE) % _FINALS
        if character.isdigit():
            return _RIEUL if character in "178" else (1 if character in _FINAL_DIGITS else 0)
        if character == "%":
            return 0
        if character.isalpha():
            return 1 if character in _FINAL_LETTERS else 0
    return None


def with_particle(text: str, after_consonant: str, after_vowel: str) -> str:
    """Return the text with the particle that fits: ("30", "은", "는") gives 30은."""
    final = _final(text)
    if final is None:
        return f"{text}{after_consonant}({after_vowel})"
    if after_consonant == "으로" and final == _RIEUL:
        return f"{text}로"
    return f"{text}{after_consonant if final else after_vowel}"


def topic(text: str) -> str:
    """Return the text with 은 or 는."""
    return with_particle(text, "은", "는")


def subject(text: str) -> str:
    """Return the text with 이 or 가."""
    return with_particle(text, "이", "가")


def companion(text: str) -> str:
    """Return the text with 과 or 와."""
    return with_particle(text, "과", "와")


def means(text: str) -> str:
    """Return the text with 으로 or 로."""
    return with_particle(text, "으로", "로")
