"""What would be written beside what the target holds now, field by field. Pure.

Only fields that we would write are compared: what the target adds of its own is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import Scope, compiled
from syncflows.engine.carry import Carry
from syncflows.governance.schemas.flows import CompareField

Row = dict[str, Any]
ROWS_MAX = 200
_ABSENT = object()


def rows(ours: Any, theirs: Any) -> tuple[list[Row], int]:
    """Differing fields as {path, ours, theirs, kind}: kind changed, or not_shown where the target does not show the field; and how many agree."""
    found, same = [], 0
    for path, mine, other in _leaves(ours, theirs, ""):
        if other is _ABSENT:
            found.append({"path": path, "ours": mine, "theirs": None, "kind": "not_shown"})
        elif equal(mine, other):
            same += 1
        else:
            found.append({"path": path, "ours": mine, "theirs": other, "kind": "changed"})
    return found, same


def by_rules(carry: Carry, rules: list[CompareField], item: dict[str, Any]) -> tuple[list[Row], int]:
    """The fields that the flow's reconciliation compares, for a target whose documents have names of their own."""
    found, same = [], 0
    theirs = Scope({"item": item})
    for rule in rules:
        try:
            mine, other = (
                compiled(rule.ours).evaluate(carry.scope or Scope(carry.names)),
                compiled(rule.theirs).evaluate(theirs),
            )
        except MeshlineError:
            continue
        if equal(mine, other):
            same += 1
        else:
            found.append({"path": rule.name, "ours": mine, "theirs": other, "kind": "changed"})
    return found, same


def equal(mine: Any, other: Any) -> bool:
    """Numerals by value (`10.50` is 10.5), nothing and empty text alike, all else as it stands."""
    if mine in (None, "") and other in (None, ""):
        return True
    if isinstance(mine, bool) or isinstance(other, bool):
        return mine is other
    left, right = _numeral(mine), _numeral(other)
    return left == right if left is not None and right is not None else str(mine) == str(other)


def _numeral(value: Any) -> Decimal | None:
    if not isinstance(value, str | int | float | Decimal):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _leaves(ours: Any, theirs: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and ours:
        for name, item in ours.items():
            other = theirs.get(name, _ABSENT) if isinstance(theirs, dict) else _ABSENT
            yield from _leaves(item, other, f"{path}.{name}" if path else str(name))
    elif isinstance(ours, list) and ours:
        for place, item in enumerate(ours):
            other = theirs[place] if isinstance(theirs, list) and place < len(theirs) else _ABSENT
            yield from _leaves(item, other, f"{path}[{place}]")
        if isinstance(theirs, list) and len(theirs) > len(ours):
            yield f"{path} (number of entries)", len(ours), len(theirs)
    else:
        yield path or "(all)", ours, theirs
