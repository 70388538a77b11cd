"""From figures to ratios, and to the file and the table that people read. Pure but for writing the file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.errors import BenchError


class Sense(StrEnum):
    AT_LEAST = "at_least"
    AT_MOST = "at_most"


@dataclass(frozen=True)
class Ratio:
    """One thing in terms of another of the same run, and what is aimed at today."""

    name: str
    value: float
    goal: float
    sense: Sense
    holds: bool


def ratio(name: str, ours: float, theirs: float, *, goal: float, sense: Sense = Sense.AT_LEAST) -> Ratio:
    """`ours / theirs`, rounded to three places, beside its goal. Raises BenchError where there is nothing to divide by."""
    if theirs <= 0:
        raise BenchError(f"{name}: nothing was measured to compare with.")
    value = round(ours / theirs, 3)
    return Ratio(name, value, goal, sense, value >= goal if sense == Sense.AT_LEAST else value <= goal)


def figure(name: str, value: float, *, goal: float, sense: Sense = Sense.AT_LEAST) -> Ratio:
    """A figure that is aimed at as such, not in terms of another."""
    return ratio(name, value, 1.0, goal=goal, sense=sense)


def write(path: Path, *, machine: dict[str, Any], ratios: list[Ratio], figures: dict[str, Any]) -> None:
    """The file that others read; replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "ratios": [asdict(found) for found in ratios], "figures": figures}
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(path)


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as they need; the first to the left, figures to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(_line(row, widths) for row in rows)


def sentence(found: Ratio) -> str:
    sign = ">=" if found.sense == Sense.AT_LEAST else "<="
    return f"{found.name}: {found.value:g} (goal {sign} {found.goal:g}: {'holds' if found.holds else 'DOES NOT HOLD'})"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        text.ljust(width) if at == 0 else text.rjust(width)
        for at, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
