from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel.errors import Invalid
from reconciliation.compare import (
    Comparison,
    FieldRule,
    OurRecord,
    Pair,
    TheirItem,
    Unreadable,
    compare,
    in_doubt,
    judge,
    text_of,
)
from reconciliation.enums import DiscrepancyKind as Kind

RULES = [FieldRule("total", Decimal("0.00")), FieldRule("customer")]
LOOSE = [FieldRule("total", Decimal("0.05"))]


def our(key: str, total: object = "100.00", customer: object = "C1", currency: str = "USD") -> OurRecord:
    amount = Decimal(total) if isinstance(total, str) else None
    return OurRecord(key, {"total": total, "customer": customer}, amount, currency)


def their(
    key: str, total: object = "100.00", customer: object = "C1", *, ident: str = "", currency: str = "USD"
) -> TheirItem:
    name = ident or f"SO-{key}"
    amount = Decimal(total) if isinstance(total, str) else None
    return TheirItem(
        key, name, {"total": total, "customer": customer}, amount, currency, {"number": name}, (f"number={name}",)
    )


def kinds(found: Comparison) -> list[tuple[str, str]]:
    return [(finding.key, str(finding.kind)) for finding in found.findings]


def test_compare_of_equal_sides_finds_nothing():
    found = compare([our("a"), our("b")], [their("b"), their("a")], rules=RULES)
    assert (found.findings, found.matched, found.compared) == ([], ["a", "b"], 2)
    assert found.totals == {"USD": {"ours": Decimal("200.00"), "theirs": Decimal("200.00")}}


def test_compare_of_nothing_finds_nothing():
    assert compare([], [], rules=RULES) == Comparison([], [], {})


def test_compare_names_each_kind_in_the_order_of_keys():
    theirs = [their("d"), their("d", ident="SO-d2"), their("x"), their("b", "90.00")]
    found = compare([our("d"), our("c"), our("b")], theirs, rules=RULES)
    assert kinds(found) == [
        ("b", "differs"),
        ("c", "missing_in_target"),
        ("d", "duplicate"),
        ("x", "missing_in_source"),
    ]
    assert [found.count(kind) for kind in Kind] == [1, 1, 1, 1]


def test_a_difference_holds_both_sides_and_the_tolerance():
    [finding] = compare([our("a", "9810.00", "C1")], [their("a", "9310.00", "C2")], rules=RULES).findings
    assert [(item.name, item.ours, item.theirs, item.tolerance) for item in finding.fields] == [
        ("total", "9810.00", "9310.00", Decimal("0.00")),
        ("customer", "C1", "C2", None),
    ]
    assert in_doubt(finding) == (Decimal("500.00"), "USD")


@pytest.mark.parametrize(("ours", "theirs", "agree"), [
    ("100.00", "100.05", True), ("100.00", "100.06", False), ("100.00", "99.95", True), ("100", "100.000", True), ("100.00", None, False),
    (None, None, True), (None, "", True), ("100.00", "a lot", False), ("a lot", "a lot", True), ("100.00", 100, True), ("0.1", 0.1, True), ("0.1", 0.2, False),
])  # fmt: skip
def test_tolerance_is_exact_and_includes_its_edge(ours, theirs, agree):
    found = compare([OurRecord("a", {"total": ours})], [TheirItem("a", "SO", {"total": theirs})], rules=LOOSE)
    assert (not found.findings) is agree


@pytest.mark.parametrize(("ours", "theirs", "agree"), [
    ("C1", "C1", True), ("C1", "c1", False), ("5", 5, True), (None, "", True), ("100", "100.00", False), (True, "true", True), (["b"], ["b"], True),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
])  # fmt: skip
def test_without_tolerance_the_texts_must_be_equal(ours, theirs, agree):
    found = compare(
        [OurRecord("a", {"customer": ours})],
        [TheirItem("a", "SO", {"customer": theirs})],
        rules=[FieldRule("customer")],
    )
    assert (not found.findings) is agree


def test_what_cannot_be_read_differs_and_says_why():
    [finding] = compare([our("a")], [their("a", Unreadable("there is no field 'total'"))], rules=RULES).findings
    assert text_of(finding.fields[0].theirs) == "unreadable: there is no field 'total'"


def test_items_without_key_stand_under_their_own_id():
    theirs = [their("", ident="SO-1"), their("", ident="SO-2"), their("SO-2", ident="SO-9")]
    found = compare([], theirs, rules=RULES)
    assert kinds(found) == [
        ("SO-1", "missing_in_source"),
        ("SO-2", "missing_in_source"),
        ("SO-2 (without reference)", "missing_in_source"),
    ]


def test_two_nameless_items_are_two_findings():
    nameless = TheirItem("", "document", {"total": "1"}, item={})
    assert kinds(compare([], [nameless, nameless], rules=LOOSE)) == [
        ("document", "missing_in_source"),
        ("document #2", "missing_in_source"),
    ]


def test_a_duplicate_names_every_document_and_counts_once():
    theirs = [their("a", ident="SO-3"), their("a", ident="SO-1"), their("a", "90.00", ident="SO-2")]
    found = compare([our("a")], theirs, rules=RULES)
    [finding] = found.findings
    assert ([item.ident for item in finding.theirs], found.compared) == (["SO-1", "SO-2", "SO-3"], 1)
    assert in_doubt(finding) == (Decimal("190.00"), "USD")


def test_a_document_listed_twice_is_no_duplicate():
    assert compare([our("a")], [their("a"), their("a")], rules=RULES).matched == ["a"]


def test_two_documents_without_id_of_one_key_are_a_duplicate():
    item = TheirItem("a", "document", {"total": "1"})
    assert kinds(compare([], [item, item], rules=LOOSE)) == [("a", "duplicate")]


def test_totals_are_exact_by_currency():
    theirs = [
        their("a", "0.1"),
        their("b", "0.2"),
        their("c", "5", currency="EUR"),
        their("d", None, currency="EUR"),
        their("e", "1", currency=""),
    ]
    found = compare([our("a", "0.1"), our("b", "0.2")], theirs, rules=RULES)
    assert found.totals["USD"] == {"ours": Decimal("0.3"), "theirs": Decimal("0.3")}
    assert found.totals["EUR"]["theirs"] == 5
    assert found.totals["XXX"]["theirs"] == 1


@pytest.mark.parametrize("records", [[our("a"), our("a")], [our("")]])
def test_our_references_must_tell_records_apart(records):
    with pytest.raises(Invalid, match=r"reconcile\.ours"):
        compare(records, [], rules=RULES)


def test_a_pair_with_neither_side_agrees_and_is_not_counted():
    assert judge([Pair("gone")], rules=RULES).compared == 0


def test_in_doubt_is_the_whole_document_where_a_side_is_missing():
    found = compare([our("a", "7.00")], [their("b", "8.00")], rules=RULES)
    assert [in_doubt(finding) for finding in found.findings] == [(Decimal("7.00"), "USD"), (Decimal("8.00"), "USD")]


def test_in_doubt_never_adds_currencies():
    [finding] = compare([our("a", "7.00")], [their("a", "8.00", currency="EUR")], rules=RULES).findings
    assert in_doubt(finding) == (Decimal("7.00"), "USD") or in_doubt(finding) == (Decimal("8.00"), "EUR")


KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
TOTALS = st.sampled_from(["1.00", "2.00", "2.01"])
OURS = st.dictionaries(KEYS, TOTALS).map(lambda found: [our(key, total) for key, total in found.items()])
THEIRS = st.lists(st.tuples(st.one_of(KEYS, st.just("")), TOTALS), max_size=8).map(
    lambda found: [their(key, total, ident=f"SO-{place}") for place, (key, total) in enumerate(found)]
)


@given(OURS, THEIRS)
def test_every_key_is_judged_exactly_once(ours, theirs):
    found = compare(ours, theirs, rules=RULES)
    keys = {record.key for record in ours} | {item.key or item.ident for item in theirs}
    assert sorted([*found.matched, *(finding.key for finding in found.findings)]) == sorted(keys)
    assert found.compared == len(found.matched) + sum(found.count(kind) for kind in Kind)


@given(OURS, THEIRS, st.randoms())
def test_the_order_of_arrival_changes_nothing(ours, theirs, chance):
    mixed_ours, mixed_theirs = list(ours), list(theirs)
    chance.shuffle(mixed_ours)
    chance.shuffle(mixed_theirs)
    first, second = compare(ours, theirs, rules=RULES), compare(mixed_ours, mixed_theirs, rules=RULES)
    assert (kinds(first), first.matched, first.totals) == (kinds(second), second.matched, second.totals)


@given(OURS, THEIRS)
def test_no_document_is_lost_and_totals_are_the_sums(ours, theirs):
    found = compare(ours, theirs, rules=RULES)
    shown = sum(len(finding.theirs) for finding in found.findings) + len(found.matched)
    assert shown == len(theirs)
    sums = found.totals.get("USD", {"ours": Decimal(0), "theirs": Decimal(0)})
    assert sums["theirs"] == sum((item.amount for item in theirs), Decimal(0))
    assert sums["ours"] == sum((record.amount for record in ours), Decimal(0))


@given(OURS)
def test_a_true_copy_always_agrees(ours):
    theirs = [their(record.key, record.fields["total"]) for record in ours]
    assert compare(ours, theirs, rules=RULES).findings == []


@given(OURS, THEIRS)
def test_a_finding_has_the_sides_its_kind_says(ours, theirs):
    for finding in compare(ours, theirs, rules=RULES).findings:
        sides = {
            Kind.MISSING_IN_TARGET: finding.ours is not None and not finding.theirs,
            Kind.MISSING_IN_SOURCE: finding.ours is None and len(finding.theirs) == 1,
            Kind.DIFFERS: finding.ours is not None and len(finding.theirs) == 1 and bool(finding.fields),
            Kind.DUPLICATE: len(finding.theirs) > 1,
        }
        assert sides[finding.kind]
