"""Differences to the target: only what we would write, numerals by value."""

from __future__ import annotations

from decimal import Decimal

import pytest

from syncflows.engine.replays import comparing


def test_rows_compare_only_what_we_would_write() -> None:
    ours = {"total": "10.50", "lines": [{"sku": "A", "qty": "1"}], "notes": "ours", "hidden": "x"}
    theirs = {
        "total": Decimal("10.5"),
        "lines": [{"sku": "A", "qty": 2}, {"sku": "B"}],
        "notes": "theirs",
        "id": "SO-1",
    }
    rows, same = comparing.rows(ours, theirs)
    assert [(row["path"], row["kind"]) for row in rows] == [
        ("lines[0].qty", "changed"),
        ("lines (number of entries)", "changed"),
        ("notes", "changed"),
        ("hidden", "not_shown"),
    ]
    assert same == 2


@pytest.mark.parametrize(
    ("mine", "other", "equal"),
    [
        ("10.50", 10.5, True),
        ("1e2", "100", True),
        ("", None, True),
        ("0", None, False),
        (True, "true", False),
        (True, True, True),
        ("NaN", "NaN", True),
        ("Infinity", "1", False),
        ("A", "a", False),
        (10**15, "1000000000000000", True),
    ],
)
def test_equal(mine: object, other: object, equal: bool) -> None:
    assert comparing.equal(mine, other) is equal
