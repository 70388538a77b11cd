"""The field diff that a person sees before a correction: complete, minimal, and never fooled by types."""

import copy
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.differences import payload_diff

NAMES = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)


@given(OBJECTS)
def test_payload_diff_of_equal_values_is_empty(payload: dict[str, Any]) -> None:
    assert payload_diff(payload, copy.deepcopy(payload)) == []


@given(OBJECTS, OBJECTS)
def test_payload_diff_holds_everything_needed_to_get_from_one_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    patched = _patched(copy.deepcopy(before), payload_diff(before, after))
    assert _same(patched, after)


@given(OBJECTS, OBJECTS)
def test_payload_diff_backwards_names_the_same_fields(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert {change["path"] for change in payload_diff(before, after)} == {
        change["path"] for change in payload_diff(after, before)
    }


def test_payload_diff_tells_true_from_one() -> None:
    assert payload_diff({"a": True}, {"a": 1}) == [{"path": "a", "before": True, "after": 1, "kind": "changed"}]


def test_payload_diff_names_places_in_lists() -> None:
    changes = payload_diff({"lines": [{"sku": "A"}, {"sku": "B"}]}, {"lines": [{"sku": "A", "qty": 2}]})
    assert [(change["path"], change["kind"]) for change in changes] == [
        ("lines[0].qty", "added"),
        ("lines[1]", "removed"),
    ]


def _patched(value: Any, changes: list[dict[str, Any]]) -> Any:
    """The changes applied: removals last first, so that they do not move the places before them."""
    kept = [change for change in changes if change["kind"] != "removed"]
    removed = [change for change in reversed(changes) if change["kind"] == "removed"]
    for change in (*kept, *removed):
        *parents, last = [int(part) if part.isdigit() else part for part in re.findall(r"[a-z_]+|\d+", change["path"])]
        target = value
        for part in parents:
            target = target[part]
        if change["kind"] == "removed":
            del target[last]
        elif isinstance(target, list) and last == len(target):
            target.append(change["after"])
        else:
            target[last] = change["after"]
    return value


def _same(one: Any, other: Any) -> bool:
    return payload_diff(one, other) == []
