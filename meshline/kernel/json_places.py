"""Where in a JSON text something stands that was refused: a pointer (RFC 6901), line and column. Slow, and asked only about refused texts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
CONSTANTS = frozenset({"NaN", "Infinity", "-Infinity"})
SHOWN = 120


@dataclass
class _Holder:
    """An object or an array being read. `place` is the key or index of the value that comes next."""

    is_object: bool
    place: str | int = 0
    keys: set[str] = field(default_factory=set)
    awaits_key: bool = True


def of_constant(text: str) -> str:
    """Where the first NaN or Infinity stands."""
    return _find(text, twice=False)


def of_repeated_key(text: str) -> str:
    """Where a key stands for the second time in one object."""
    return _find(text, twice=True)


def _find(text: str, *, twice: bool) -> str:
    holders: list[_Holder] = []
    for match in TOKEN.finditer(text):
        word, top = match[0], holders[-1] if holders else None
        if word in "{[":
            holders.append(_Holder(word == "{"))
        elif word in "}]":
            holders = holders[:-1]
        elif word == "," and top:
            _step(top)
        elif top and top.is_object and top.awaits_key and word[0] == '"':
            if _is_repeated(top, word) and twice:
                return _words(holders, text, match.start())
        elif not twice and word in CONSTANTS:
            return _words(holders, text, match.start())
    return "somewhere"


def _step(holder: _Holder) -> None:
    holder.awaits_key = True
    if isinstance(holder.place, int) and not holder.is_object:
        holder.place += 1


def _is_repeated(holder: _Holder, word: str) -> bool:
    """Reads a key; whether it was there before."""
    key = json.loads(word, strict=False)
    known = key in holder.keys
    holder.keys.add(key)
    holder.place, holder.awaits_key = key, False
    return known


def _words(holders: list[_Holder], text: str, at: int) -> str:
    pointer = "".join(f"/{str(holder.place).replace('~', '~0').replace('/', '~1')}" for holder in holders)
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"at {pointer[:SHOWN] or 'the top'} (line {line}, column {column})"
