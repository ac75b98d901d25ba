"""Figures of a list of numbers with their steps: mean, median, spread, extremes."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.working import Refused, Setting

_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Data:
    values: list[Fraction]
    currency: str

    def money(self, value: Fraction) -> str:
        """Write a value of the list, or a figure made from it."""
        if self.currency == "%":
            return f"{display.figure(value)}%"
        return display.money(value, self.currency) if self.currency else display.figure(value)

    def sign(self, value: Fraction) -> str:
        """Return "=" when a figure is shown whole."""
        plain = self.currency in {"", "%"}
        return display.sign_of(value) if plain else display.money_sign(value, self.currency)


def describe(
    name: str,
    data: Data,
    setting: Setting,
    *,
    point: Fraction = Fraction(0),
    descending: bool = False,
    sample: bool = False,
) -> tuple[str, str, tuple[str, ...], Fraction | None]:
    """Return label, shown figure, steps and value of one figure."""
    english, korean = _LABELS[name]
    named = setting.say(english, korean)
    if name == "sort":
        ordered = sorted(data.values, reverse=descending)
        return named, ", ".join(data.money(value) for value in ordered), (), None
    if name == "mode":
        return named, *_mode(data, setting), None
    if name == "quartile":
        ordered = sorted(data.values)
        cuts = [_percentile(ordered, Fraction(part)) for part in (25, 50, 75)]
        shown = ", ".join(f"Q{i} {data.money(cut)}" for i, cut in enumerate(cuts, start=1))
        return named, shown, (f"IQR = {data.money(cuts[2] - cuts[0])}",), None
    if name == "percentile":
        value = _percentile(sorted(data.values), point)
        return f"{named} {display.figure(point)}", data.money(value), (), value
    if name in {"deviation", "variance"}:
        return named, *_spread(name, data, setting, sample=sample)
    value, step = _SIMPLE_FIGURES[name](data)
    shown = display.figure(value) if name == "count" else data.money(value)
    prefix = "" if name == "count" or data.sign(value) == "=" else "≈ "
    return named, f"{prefix}{shown}", (step,) if step else (), value


def label(name: str, setting: Setting) -> str:
    """Return the name of a figure in the person's language."""
    return setting.say(*_LABELS[name])


def _joined(data: Data, sign: str) -> str:
    shown = [data.money(value) if value >= 0 else f"({data.money(value)})" for value in data.values]
    if len(shown) > _MOST_SHOWN:
        shown = [*shown[:4], "…", *shown[-2:]]
    return f" {sign} ".join(shown)


def _total(data: Data) -> tuple[Fraction, str]:
    value = sum(data.values, Fraction(0))
    return exact.bounded(value), f"{_joined(data, '+')} {data.sign(value)} {data.money(value)}"


def _mean(data: Data) -> tuple[Fraction, str]:
    total = sum(data.values, Fraction(0))
    value = exact.bounded(total / len(data.values))
    return (
        value,
        f"({_joined(data, '+')}) ÷ {len(data.values)} = {data.money(total)} ÷ {len(data.values)} "
        f"{data.sign(value)} {data.money(value)}",
    )


def _median(data: Data) -> tuple[Fraction, str]:
    ordered = sorted(data.values)
    middle, odd = divmod(len(ordered), 2)
    value = ordered[middle] if odd else (ordered[middle - 1] + ordered[middle]) / 2
    shown = Data(ordered, data.currency)
    if len(ordered) > _MOST_SHOWN:
        return value, ""
    listed = ", ".join(data.money(one) for one in shown.values)
    if odd:
        return value, f"{listed} → {data.money(value)}"
    pair = f"({data.money(ordered[middle - 1])} + {data.money(ordered[middle])}) ÷ 2"
    return value, f"{listed} → {pair} = {data.money(value)}"


def _product(data: Data) -> tuple[Fraction, str]:
    value = Fraction(1)
    for one in data.values:
        value = exact.bounded(value * one)
    return value, f"{_joined(data, '×')} = {data.money(value)}"


def _extent(data: Data) -> tuple[Fraction, str]:
    top, bottom = max(data.values), min(data.values)
    return top - bottom, f"{data.money(top)} − {data.money(bottom)} = {data.money(top - bottom)}"


def _geometric(data: Data) -> tuple[Fraction, str]:
    if any(value <= 0 for value in data.values):
        raise exact.not_real()
    value, step = _product(data)
    result, _ = exact.power(value, Fraction(1, len(data.values)))
    return result, f"({step.split(' = ')[0]})^(1/{len(data.values)})"


def _harmonic(data: Data) -> tuple[Fraction, str]:
    total = sum((exact.divide(Fraction(1), value) for value in data.values), Fraction(0))
    return exact.divide(Fraction(len(data.values)), total), ""


_SIMPLE_FIGURES: dict[str, Callable[[Data], tuple[Fraction, str]]] = {
    "sum": _total,
    "mean": _mean,
    "median": _median,
    "product": _product,
    "range": _extent,
    "geometric": _geometric,
    "harmonic": _harmonic,
    "min": lambda data: (min(data.values), ""),
    "max": lambda data: (max(data.values), ""),
    "count": lambda data: (Fraction(len(data.values)), ""),
}


_LABELS = {
    "sum": ("Sum", "합계"),
    "mean": ("Mean", "평균"),
    "median": ("Median", "중앙값"),
    "mode": ("Mode", "최빈값"),
    "product": ("Product", "곱"),
    "range": ("Range", "범위"),
    "geometric": ("Geometric mean", "기하평균"),
    "harmonic": ("Harmonic mean", "조화평균"),
    "min": ("Minimum", "최솟값"),
    "max": ("Maximum", "최댓값"),
    "count": ("Count", "개수"),
    "sort": ("Sorted", "정렬"),
    "deviation": ("Standard deviation", "표준편차"),
    "variance": ("Variance", "분산"),
    "quartile": ("Quartiles", "사분위수"),
    "percentile": ("Percentile", "백분위"),
}


def _mode(data: Data, setting: Setting) -> tuple[str, tuple[str, ...]]:
    counts = Counter(data.values)
    most = max(counts.values())
    if most == 1:
        return setting.say("none (each value occurs once)", "없음 (모두 한 번씩 나와요)"), ()
    winners = sorted(value for value, count in counts.items() if count == most)
    shown = ", ".join(data.money(value) for value in winners)
    return shown, (setting.say(f"{shown} occurs {most} times", f"{shown}: {most}번 나와요"),)


def _percentile(ordered: list[Fraction], point: Fraction) -> Fraction:
    if not 0 <= point <= 100:
        raise Refused(
            "out_of_range", "A percentile is from 0 to 100.", "백분위는 0에서 100까지예요."
        )
    place = (len(ordered) - 1) * point / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _spread(
    name: str, data: Data, setting: Setting, *, sample: bool
) -> tuple[str, tuple[str, ...], Fraction]:
    count = len(data.values)
    mean = sum(data.values, Fraction(0)) / count
    squares = sum(((value - mean) ** 2 for value in data.values), Fraction(0))
    variances = (exact.bounded(squares / count), exact.bounded(squares / (count - 1)))
    if name == "variance":
        both = [(value, True) for value in variances]
    else:
        both = [exact.root(value, 2) for value in variances]
    population, of_sample = (
        f"{'' if display.sign_of(v, exact=e) == '=' else '≈ '}{display.figure(v)}" for v, e in both
    )
    first = setting.say(f"{of_sample} (sample)", f"{of_sample} (표본)")
    second = setting.say(f"{population} (population)", f"{population} (모집단)")
    shown = f"{first}, {second}" if sample else f"{second}, {first}"
    average = setting.say("Mean", "평균")
    deviations = setting.say("Sum of squared differences", "편차 제곱의 합")
    steps = (
        f"{average} {display.sign_of(mean)} {display.figure(mean)}",
        f"{deviations} {display.sign_of(squares)} {display.figure(squares)}",
    )
    return shown, steps, both[1 if sample else 0][0]
