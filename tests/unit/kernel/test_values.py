"""Ids, fingerprints and strict JSON."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import fingerprint, ids, jsontext
from meshline.kernel.jsontext import BadJSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_ids_carry_their_kind_and_sort_by_time() -> None:
    made = [ids.new("run") for _ in range(2000)]
    assert len(set(made)) == 2000
    assert all(len(found) == 20 and found.startswith("run_") for found in made)
    assert [found[:13] for found in made] == sorted(found[:13] for found in made)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_fingerprint_knows_no_order_of_keys(value: dict[str, object]) -> None:
    assert fingerprint.of(value) == fingerprint.of(dict(reversed(value.items())))


def test_fingerprint_tells_content_apart() -> None:
    assert fingerprint.of({"a": Decimal("1.5")}) != fingerprint.of({"a": Decimal("1.50")})
    assert fingerprint.of(["1"]) != fingerprint.of([1])
    with pytest.raises(TypeError):
        fingerprint.of({"a": object()})


@given(JSON)
def test_parse_reads_what_dumps_writes(value: object) -> None:
    assert jsontext.parse(jsontext.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1, "a": 2}',
        '{"a": 1e999}',
        "[" * 100 + "]" * 100,
        b"\xff\xfe{}",
        '{"x": {"a": 1, "b": 2, "a": 3}}',
    ],
)
def test_parse_refuses(text: str | bytes) -> None:
    with pytest.raises(BadJSON):
        jsontext.parse(text)


def test_parse_keeps_numbers_exact() -> None:
    assert jsontext.parse('{"a": 0.1, "b": 1054.00, "c": 12345678901234567890}') == {
        "a": Decimal("0.1"),
        "b": Decimal("1054.00"),
        "c": 12345678901234567890,
    }
    assert jsontext.dumps({"a": Decimal("1054.00")}) == '{"a": "1054.00"}'
