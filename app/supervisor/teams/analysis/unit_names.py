"""Units people write, in English and Korean; ``units.json`` beside this file lists them."""

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: ``scale`` times a pint expression."""

    kind: str
    pint: str
    label: str  # as written after a number in English
    korean: str
    scale: Fraction = Fraction(1)
    note: str = ""
    korean_note: str = ""


_DATA = (
    ("", "", "byte", "바이트", 1),
    ("K", "kilo", "kilobyte", "킬로바이트", 1000),
    ("M", "mega", "megabyte", "메가바이트", 1000**2),
    ("G", "giga", "gigabyte", "기가바이트", 1000**3),
    ("T", "tera", "terabyte", "테라바이트", 1000**4),
    ("P", "peta", "petabyte", "페타바이트", 1000**5),
    ("Ki", "kibi", "kibibyte", "키비바이트", 1024),
    ("Mi", "mebi", "mebibyte", "메비바이트", 1024**2),
    ("Gi", "gibi", "gibibyte", "기비바이트", 1024**3),
    ("Ti", "tebi", "tebibyte", "테비바이트", 1024**4),
)


@cache
def aliases() -> dict[str, Unit]:
    """Return every spelling with its unit. A blank inside a spelling may be a hyphen."""
    rows = json.loads(Path(__file__).with_name("units.json").read_text(encoding="utf-8"))["units"]
    found: dict[str, Unit] = {}
    for row in rows:
        unit = Unit(
            row["kind"],
            row["pint"],
            row["label"],
            row["korean"],
            Fraction(row.get("scale", "1")),
            row.get("note", ""),
            row.get("korean_note", ""),
        )
        for word in row.get("plurals", ()):
            found[word] = found[f"{word}s"] = unit
        for word in row.get("others", ()):
            found[word] = unit
    found.update(_data_units())
    return found


def _data_units() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for symbol, prefix, word, korean, size in _DATA:
        label = f"{symbol}B" if symbol else "bytes"
        unit = Unit("data", "byte", label, label if symbol else "바이트", Fraction(size))
        bits = Unit(
            "data",
            "bit",
            f"{symbol}bit" if symbol else "bits",
            f"{symbol}비트" if symbol else "비트",
            Fraction(size),
        )
        found |= {
            word: unit,
            f"{word}s": unit,
            korean: unit,
            f"{prefix}bit": bits,
            f"{prefix}bits": bits,
        }
        if symbol:
            found |= {
                f"{symbol}B": unit,
                f"{symbol}b": bits,
                f"{symbol}bit": bits,
                f"{symbol}bits": bits,
            }
            found |= {f"{symbol.lower()}b": unit, f"{symbol.lower()}B": unit}
            if len(symbol) == 1:
                found[f"{symbol}bps"] = found[f"{symbol.lower()}bps"] = found[
                    f"{symbol}b/s"
                ] = found[f"{symbol}bit/s"] = Unit(
                    "rate", "bit/second", f"{symbol}bps", f"{symbol}bps", Fraction(size)
                )
                found[f"{symbol}B/s"] = found[f"{symbol}Bps"] = Unit(
                    "rate", "byte/second", f"{symbol}B/s", f"{symbol}B/s", Fraction(size)
                )
    found["기가"] = found["기가바이트"]
    found["메가"] = found["메가바이트"]
    found["테라"] = found["테라바이트"]
    found["비트"] = found["bits"]
    found["bps"] = Unit("rate", "bit/second", "bps", "bps")
    return found
