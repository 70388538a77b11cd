from __future__ import annotations

from decimal import Decimal

import pytest

from exceptions import figures


def test_given_is_list_minus_asked_with_its_share_of_list() -> None:
    found = figures.given({"list_total": "58780.49", "total": "48200.00"})
    assert (found.away, found.percent) == (Decimal("10580.49"), Decimal("18.00"))


def test_given_is_negative_above_list() -> None:
    found = figures.given({"list_total": "55", "total": "61"})
    assert (found.away, found.size, found.percent_size) == (Decimal(-6), Decimal(6), Decimal("10.91"))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        {"list_total": 1.5, "total": "1"},
        {"list_total": "x", "total": "1"},
        {"list_total": "NaN", "total": "1"},
        {"list_total": True, "total": 1},
    ],
)
def test_given_says_nothing_where_a_price_is_missing_or_no_exact_number(document) -> None:
    assert figures.given(document) is None


def test_given_of_a_free_list_has_no_share() -> None:
    assert figures.given({"list_total": "0", "total": "5"}).percent is None


def test_lines_leaves_out_those_without_both_prices() -> None:
    document = {"lines": [{"sku": "A", "quantity": 2, "list_price": "10", "unit_price": "9"}, {"sku": "B"}, "junk"]}
    assert [(line.name, line.quantity, line.given.percent) for line in figures.lines(document)] == [
        ("A", "2", Decimal("10.00"))
    ]


def test_sides_marks_what_differs_and_takes_equal_amounts_for_equal() -> None:
    rows = figures.sides({"total": "10.00", "name": "a"}, {"total": "10", "name": "b", "more": 1})
    assert [(row["field"], row["changed"]) for row in rows] == [("name", True), ("total", False), ("more", False)]


@pytest.mark.parametrize(
    ("path", "value"),
    [("lines[0].qty", 7), ("/lines/0/qty", 7), ("lines[9].qty", None), ("a.b.c", None), ("", {"lines": [{"qty": 7}]})],
)
def test_at_path_reads_both_ways_of_writing_a_path(path, value) -> None:
    assert figures.at_path({"lines": [{"qty": 7}]}, path) == value
