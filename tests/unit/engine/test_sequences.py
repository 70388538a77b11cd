"""Sequences compare as what they are: "10" after "9", and times by the moment they mean."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.sequences import BadSequence, sortable

integers = st.integers(-(10**49), 10**49)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)  # noqa: DTZ001 - the zones are given


@given(integers, integers)
def test_integers_are_in_the_order_of_numbers(one: int, other: int) -> None:
    here, there = sortable(str(one), "integer"), sortable(str(other), "integer")
    assert (here < there, here == there) == (one < other, one == other)
    assert len(here) <= 60


@given(times, times)
def test_times_are_in_the_order_of_moments(one: datetime, other: datetime) -> None:
    here, there = sortable(one.isoformat(), "time"), sortable(other.isoformat(), "time")
    assert (here < there, here == there) == (one < other, one == other)


@pytest.mark.parametrize(
    ("kind", "ascending"),
    [
        ("integer", ["-100", "-9", "-1", "0", "1", "9", "10", "11", "99", "100", "1e3", "1000000000000000000000"]),
        ("text", ["10", "9", "A", "a"]),
        (
            "time",
            [
                "2026-11-20T10:00:00+02:00",
                "2026-11-20T08:00:00.1Z",
                "2026-11-20T08:00:00.100000001Z",
                "2026-11-20T08:00:00.11Z",
                "2026-11-20T08:00:01",
                "2026-11-20T10:00:00-01:00",
                "2026-11-21",
            ],
        ),
    ],
)
def test_each_kind_has_its_own_order(kind: str, ascending: list[str]) -> None:
    kept = [sortable(value, kind) for value in ascending]
    assert kept == sorted(kept)
    assert len(set(kept)) == len(kept)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("integer", "10", "010"),
        ("integer", "10", "10.0"),
        ("integer", "0", "-0"),
        ("time", "2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
        ("time", "2026-11-20T08:00:00.1Z", "2026-11-20T08:00:00.100000Z"),
        ("time", "2026-11-20T08:00:00", "2026-11-20T08:00:00Z"),
    ],
)
def test_the_same_value_written_otherwise_is_the_same(kind: str, one: str, other: str) -> None:
    assert sortable(one, kind) == sortable(other, kind)


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", "v10"), ("integer", "1.5"), ("integer", "NaN"), ("integer", "1" * 51), ("time", "yesterday"), ("time", "10")]
)  # fmt: skip
def test_what_is_not_of_its_kind_is_refused(kind: str, value: str) -> None:
    with pytest.raises(BadSequence, match="is not a"):
        sortable(value, kind)


@pytest.mark.parametrize("kind", ["text", "integer", "time"])
def test_no_sequence_stays_none(kind: str) -> None:
    assert sortable(" ", kind) == ""
