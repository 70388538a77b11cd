from __future__ import annotations

from decimal import Decimal

import pytest

from exceptions import payload_edits
from meshline.kernel.errors import Invalid

PAYLOAD = {"name": "007", "qty": 3, "rate": "0.10", "paid": False, "none": None, "lines": [1]}


def typed(**values: str) -> dict[str, str]:
    return {f"field:{name}": value for name, value in values.items()}


def test_inputs_leaves_out_lists_and_objects() -> None:
    assert [(item.name, item.kind) for item in payload_edits.inputs(PAYLOAD)] == [
        ("name", "text"),
        ("qty", "number"),
        ("rate", "text"),
        ("paid", "flag"),
        ("none", "nothing"),
    ]
    assert payload_edits.inputs([1]) == []


def test_from_inputs_keeps_types_and_what_was_not_touched() -> None:
    found = payload_edits.from_inputs(PAYLOAD, typed(name="008", qty="4.50", paid="true", none="", rate="0.10"))
    assert found == {**PAYLOAD, "name": "008", "qty": Decimal("4.50"), "paid": True}


@pytest.mark.parametrize("text", ["three", "", "true", "1,5", "NaN", "[1]"])
def test_from_inputs_refuses_what_is_no_number(text) -> None:
    with pytest.raises(Invalid, match="is not a number") as error:
        payload_edits.from_inputs(PAYLOAD, typed(qty=text))
    assert error.value.context["errors"][0]["field"] == "qty"


def test_from_text_reads_what_text_of_writes() -> None:
    assert payload_edits.from_text(payload_edits.text_of(PAYLOAD)) == PAYLOAD


def test_from_text_names_line_and_column() -> None:
    with pytest.raises(Invalid, match="The payload is not JSON: .* at line 2, column 6"):
        payload_edits.from_text('{"a": 1,\r\n "b" 2}')


def test_print_of_changes_with_the_payload() -> None:
    assert payload_edits.print_of({"a": 1}) != payload_edits.print_of({"a": 2})
    assert payload_edits.print_of(None) == payload_edits.print_of(None)
