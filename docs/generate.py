"""Writes the tables of the documentation that code knows better: settings, errors, metrics,
close codes, the protocol's examples, and what is done to a fleet to see whether it holds.

``python docs/generate.py`` rewrites what stands between the markers; ``--check`` only says
whether something would change.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import app.doctor
import app.serving
import app.terminal  # noqa: F401 - so that every error class exists
from app.kit.errors import AppError
from app.observability.metrics import REGISTRY
from app.protocol.close import close_table
from app.settings import PREFIX, Settings
from tests.faults.patches import load_mutations
from tests.faults.scenario import load_scenarios

DOCS = Path(__file__).parent
FIXTURES = DOCS.parent / "app" / "protocol" / "fixtures"


def settings_table() -> str:
    parts: list[str] = ["| variable | default | what it does |", "|---|---|---|"]
    groups: list[str] = []
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        if inner is None:
            parts.append(_row(PREFIX + name.upper(), field))
            continue
        groups += ["", f"### {name}", "", "| variable | default | what it does |", "|---|---|---|"]
        groups += _rows(f"{PREFIX}{name.upper()}__", inner)
    return "\n".join(parts + groups)


def _rows(prefix: str, fields: dict[str, Any]) -> list[str]:
    rows: list[str] = []
    for key, value in fields.items():
        inner = getattr(value.annotation, "model_fields", None)
        upper = prefix + key.upper()
        rows += [_row(upper, value)] if inner is None else _rows(f"{upper}__", inner)
    return rows


def _row(variable: str, field: Any) -> str:
    default = field.get_default(call_default_factory=False)
    if variable == f"{PREFIX}DATA_DIR":
        shown = "`~/.local/share/colloquy`, for root `/var/lib/colloquy`"
    elif default is None:
        shown = "unset"
    else:
        is_json = isinstance(default, (bool, list))
        shown = f"`{json.dumps(default, default=str) if is_json else default}`"
    text = re.sub(r"\s+", " ", field.description or "").strip()
    return f"| `{variable}` | {shown} | {text} |"


def errors_table() -> str:
    rows = ["| code | kind | what happened | try again? |", "|---|---|---|---|"]
    for code, error in sorted(AppError.codes.items()):
        first = (error.__doc__ or "").strip().split("\n\n")[0]
        if error is AppError:
            first = "A fault on the server's side; nothing about it is shown."
        text = re.sub(r"\s+", " ", first)
        again = "later, unchanged" if error("").temporary else "after a change"
        rows.append(f"| `{code}` | {error.kind} | {text} | {again} |")
    return "\n".join(rows)


def close_codes_table() -> str:
    actions = {"stop": "stop", "backoff": "back off, then reconnect", "now": "reconnect now"}
    rows = ["| code | name | meaning | what a client does |", "|---|---|---|---|"]
    rows += [
        f"| {code} | `{row['name']}` | {row['meaning']} | {actions[row['action']]} |"
        for code, row in sorted(close_table().items())
    ]
    return "\n".join(rows)


def metrics_table() -> str:
    rows = ["| metric | type | what it says |", "|---|---|---|"]
    rows += [
        f"| `{metric.name}` | {metric.type} | {metric.documentation} |"
        for metric in sorted(REGISTRY.collect(), key=lambda one: one.name)
    ]
    return "\n".join(rows)


def scenarios_table() -> str:
    rows = ["| | scenario | what happens |", "|---|---|---|"]
    for one in load_scenarios():
        story = re.sub(r"\s+", " ", one.body.__doc__ or "").strip()
        rows.append(f"| {one.number} | {one.sentence} | {story} |")
    return "\n".join(rows)


def mutations_table() -> str:
    rows = ["| | what is broken | who should notice |", "|---|---|---|"]
    rows += [
        f"| {one.invariant} | {one.what} | {', '.join(one.numbers)} |" for one in load_mutations()
    ]
    return "\n".join(rows)


def examples(name: str) -> str:
    rows = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "```json\n" + "\n".join(lines) + "\n```"


SECTIONS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "errors": errors_table,
    "close codes": close_codes_table,
    "metrics": metrics_table,
    "frames": lambda: examples("frames"),
    "events": lambda: examples("events"),
    "control frames": lambda: examples("control"),
    "scenarios": scenarios_table,
    "mutations": mutations_table,
}


def renewed(text: str) -> str:
    """Return ``text`` with every marked section made anew."""

    def section(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- made: {name} -->\n\n{SECTIONS[name]()}\n\n<!-- end -->"

    return re.sub(
        r"<!-- made: (?P<name>[a-z ]+) -->.*?<!-- end -->", section, text, flags=re.DOTALL
    )


def main() -> int:
    stale = []
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text("utf-8")
        new = renewed(text)
        if new != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(new, "utf-8")
    if "--check" in sys.argv and stale:
        sys.stderr.write(f"Out of date: {', '.join(stale)}. Run: python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
