"""Weights of common ingredients, for recipes that mix cups and grams."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.quantities import Quantity, convert, written
from app.supervisor.teams.analysis.unit_names import Unit, aliases
from app.supervisor.teams.analysis.working import Setting, Working

# grams per millilitre, from the usual weight of one US cup
_DENSITIES: tuple[tuple[re.Pattern[str], str, str, str], ...] = tuple(
    (re.compile(words, re.IGNORECASE), english, korean, density)
    for words, english, korean, density in (
        (r"brown sugar|흑설탕|황설탕", "brown sugar", "황설탕", "0.93"),
        (r"powdered sugar|icing sugar|슈가파우더", "powdered sugar", "슈가파우더", "0.51"),
        (r"sugar|설탕", "sugar", "설탕", "0.845"),
        (r"flour|밀가루", "flour", "밀가루", "0.528"),
        (r"butter|버터", "butter", "버터", "0.959"),
        (r"honey|꿀", "honey", "꿀", "1.437"),
        (r"\boil\b|식용유|올리브유|참기름", "oil", "기름", "0.92"),
        (r"milk|우유", "milk", "우유", "1.03"),
        (r"cream|크림", "cream", "크림", "1.01"),
        (r"rice|쌀", "rice", "쌀", "0.78"),
        (r"oats?\b|oatmeal|귀리|오트밀", "oats", "오트밀", "0.38"),
        (r"salt|소금", "salt", "소금", "1.217"),
        (r"cocoa|코코아", "cocoa", "코코아", "0.42"),
        (r"soy sauce|간장", "soy sauce", "간장", "1.15"),
        (r"water|물", "water", "물", "1"),
    )
)


def weigh(shape: str, quantity: Quantity, target: Unit, setting: Setting) -> Working | None:
    """Convert between volume and weight of a named ingredient, or return None without one."""
    known = next((row for row in _DENSITIES if row[0].search(shape)), None)
    if known is None:
        return None
    _, english, korean, written_density = known
    density = Fraction(written_density)
    gram, milliliter = aliases()["g"], aliases()["ml"]
    if quantity.unit.kind == "volume":
        amount = convert(quantity.value, quantity.unit, milliliter)
        value = convert(amount * density, gram, target)
        step = (
            f"{written(amount, milliliter, setting.language)} × {written_density} g/mL ≈ "
            f"{display.rounded(amount * density, 1)} g"
        )
    else:
        amount = convert(quantity.value, quantity.unit, gram)
        value = convert(amount / density, milliliter, target)
        step = (
            f"{written(amount, gram, setting.language)} ÷ {written_density} g/mL ≈ "
            f"{display.rounded(amount / density, 1)} mL"
        )
    shown = Fraction(round(value, 2)) if value < 100 else Fraction(round(value))
    lead = (
        f"{quantity.shown(setting.language)} ({setting.say(english, korean)}) ≈ "
        f"{written(shown, target, setting.language)}"
    )
    note = setting.say(
        f"Usual weight of {english}; it depends on how it is packed.",
        f"{korean}의 보통 무게 기준이라 담는 방법에 따라 달라요.",
    )
    return Working(lead, (step,), note, value=value)
