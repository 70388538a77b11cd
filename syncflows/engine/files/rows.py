"""One row of a file, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RAW_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """`line` where it begins, counted from 1. `raw` its text. `payload` an object, or None with `problem`, a sentence: why it cannot be read."""

    line: int
    raw: str
    payload: dict[str, Any] | None = None
    problem: str = ""


def bad(line: int, raw: str, problem: str) -> Row:
    """A row that cannot be read; very long texts are kept in their beginning."""
    return Row(line, raw[:RAW_LENGTH].rstrip("\r\n"), None, problem)
