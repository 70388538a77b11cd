"""Payloads are read by their contract: exact values, equal events for equal content, every problem named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine import contracts
from syncflows.engine.contracts import Unreadable
from syncflows.governance.catalog import Versioned
from syncflows.governance.schemas import Contract

SPEC = {
    "version": "1.0.0", "system": "crm", "types": ["deal"], "object": "deal",
    "read": {"amount": "decimal", "closed": {"type": "date"}, "count": "integer", "live": "boolean", "at": {"type": "datetime", "formats": ["%d.%m.%Y %H:%M"]},
             "account": {"type": "text", "required": True}, "who.mail": "text"},
    "key": "payload.id", "sequence": "payload.closed", "occurred_at": "payload.closed",
    "schema": {"type": "object", "required": ["id", "amount"], "properties": {"count": {"minimum": 1}}},
}  # fmt: skip


def contract(**changes: object) -> Versioned:
    spec = Contract.model_validate({**SPEC, **changes})
    return Versioned(1, "Contract", "deals", "Deals", 1, str(sorted(changes)), spec)


def read(**payload: object) -> dict[str, object]:
    return contracts.read(contract(), {"id": "D1", "account": "Acme", **payload})


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("amount", "1054", "1054"), ("amount", " 1054.00 ", "1054"), ("amount", "0.10", "0.1"), ("amount", "", None), ("amount", "-0", "0"),
        ("amount", "1000000000000000", "1000000000000000"), ("amount", "123456789012345678901234.123456789012", "123456789012345678901234.123456789012"),
        ("closed", "2017-03-01", "2017-03-01"), ("closed", "3/1/2017", "2017-03-01"), ("closed", " ", None),
        ("count", "3", 3), ("live", "Yes", True), ("live", "0", False), ("at", "24.12.2026 18:30", "2026-12-24T18:30:00+00:00"),
    ],
)  # fmt: skip
def test_read_gives_values(field: str, text: str, value: object) -> None:
    assert read(**{field: text})[field] == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("amount", "a lot"),
        ("amount", "NaN"),
        ("closed", "2017-13-01"),
        ("count", "1.5"),
        ("live", "perhaps"),
        ("at", "soon"),
        ("account", ""),
    ],
)
def test_read_names_the_field_that_cannot_be_read(field: str, text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(**{field: text})
    assert [problem["field"] for problem in caught.value.context["errors"]] == [field]


def test_a_spreadsheet_s_copy_is_the_same_event() -> None:
    rows = [read(amount="1054", closed="2017-03-01"), read(amount="1054.0", closed="3/1/2017")]
    assert len({contracts.identify(contract(), row).event_id for row in rows}) == 1


def test_identify_gives_key_order_and_time() -> None:
    found = contracts.identify(contract(), read(closed="2017-03-01"))
    assert (found.key, found.sequence) == ("D1", "2017-03-01")
    assert found.occurred_at is not None
    assert found.occurred_at.isoformat() == "2017-03-01T00:00:00+00:00"
    with pytest.raises(Unreadable, match="key"):
        contracts.identify(contract(), read(id=" ", closed="2017-03-01"))


def test_violations_name_paths() -> None:
    found = [str(item) for item in contracts.violations(contract(), {"id": "D1", "count": 0})]
    assert "the payload: amount is missing" in found
    assert any(text.startswith("/count") for text in found)
    assert contracts.violations(contract(), {"id": "D1", "amount": "5"}) == []


@given(st.dictionaries(st.text(max_size=6), st.none() | st.text(max_size=8) | st.integers(-(2**60), 2**60), max_size=6))
def test_read_leaves_what_it_is_not_told_to_read(payload: dict[str, object]) -> None:
    other = {f"x{name}": value for name, value in payload.items()}
    found = read(**other)
    assert {name: found[name] for name in other} == other


@pytest.mark.parametrize(("field", "length"), [("key", 201), ("event_id", 201), ("sequence", 61)])
def test_identify_refuses_what_would_be_cut_short(field: str, length: int) -> None:
    with pytest.raises(Unreadable, match=f"at most {length - 1} are kept") as told:
        contracts.identify(contract(**{"key": "'k'", field: f"'{'x' * length}'"}), {"closed": "2026-11-20"})
    assert told.value.code == f"{field}_too_long"
