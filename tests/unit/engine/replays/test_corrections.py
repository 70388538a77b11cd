"""Corrections: RFC 7396 to the letter, expressions exactly, and what cannot correct anything."""

from __future__ import annotations

import pytest

from meshline.kernel.errors import MeshlineError
from syncflows.engine.replays import corrections


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merged_is_rfc_7396(target: object, patch: object, result: object) -> None:
    assert corrections.merged(target, patch) == result


def test_expressions_are_exact_and_leave_the_given_payload() -> None:
    payload = {"amount": "0.10", "lines": [{"sku": "A"}]}
    correction = corrections.check(
        {
            "kind": "expressions",
            "document": {
                "amount": "add(payload.amount, '0.20')",
                "lines": None,
                "first": {"sku": "payload.lines[0].sku"},
            },
        }
    )
    assert corrections.corrected(payload, correction) == {"amount": "0.30", "first": {"sku": "A"}}
    assert payload == {"amount": "0.10", "lines": [{"sku": "A"}]}


def test_a_binary_number_is_refused() -> None:
    correction = corrections.check({"kind": "expressions", "document": {"amount": "1.1 * 3.0"}})
    with pytest.raises(MeshlineError, match="binary number"):
        corrections.corrected({}, correction)


@pytest.mark.parametrize(
    "correction",
    [
        {"kind": "merge", "document": {}},
        {"kind": "merge", "document": [1]},
        {"kind": "sideways", "document": {"a": 1}},
        {"document": {"a": 1}},
        {"kind": "merge", "document": {"a": "x" * 300_000}},
        {"kind": "merge", "document": {"a": "\x00"}},
        {"kind": "expressions", "document": {"a": ")("}},
    ],
)
def test_what_cannot_correct_is_refused(correction: dict[str, object]) -> None:
    with pytest.raises(MeshlineError):
        corrections.check(correction)
