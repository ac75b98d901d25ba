"""Which language a text is in: English or Korean."""

from app.supervisor.offline.types import Language

_KOREAN_SHARE = 0.2  # of the letters; one Korean word in an English sentence stays English


def is_hangul(character: str) -> bool:
    """Tell whether a character is a Hangul syllable or letter."""
    return (
        "\uac00" <= character <= "\ud7a3"
        or "\u3131" <= character <= "\u318e"
        or "\u1100" <= character <= "\u11ff"
    )


def detect(text: str) -> Language:
    """Return "ko" when at least a fifth of the letters are Hangul, else "en".

    A Hangul syllable carries two to three Latin letters' worth of sound, so it counts
    twice: "PostgreSQL은 뭐야?" is Korean. Linear in the text.
    """
    hangul = letters = 0
    for character in text:
        if is_hangul(character):
            hangul += 2
            letters += 2
        elif character.isalpha():
            letters += 1
    return "ko" if letters and hangul / letters >= _KOREAN_SHARE else "en"
