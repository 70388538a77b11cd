"""A payload as people edit it: as JSON text, or its single values as inputs; read back exactly. Pure.

A number stays a number and a text a text; what cannot be read says where.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from meshline.kernel import fingerprint, jsontext
from meshline.kernel.errors import Invalid

PREFIX = "field:"
FIELDS_MAX = 60
TEXT_MAX = 2_000_000
TRUE, FALSE = "true", "false"


@dataclass(frozen=True)
class Input:
    """One top-level value. `kind`: text, number, flag or nothing (null)."""

    name: str
    value: str
    kind: str

    @property
    def control(self) -> str:
        return PREFIX + self.name


def inputs(payload: Any) -> list[Input]:
    """The single values of an object; lists and objects are for the JSON editor."""
    if not isinstance(payload, dict):
        return []
    found = [(str(name), value) for name, value in payload.items() if not isinstance(value, dict | list)]
    return [Input(name, _shown(value), _kind(value)) for name, value in found[:FIELDS_MAX]]


def from_inputs(payload: Any, typed: dict[str, str]) -> dict[str, Any]:
    """The payload with what was typed put in. `typed` by control name. Raises Invalid with {field, message}."""
    found, problems = dict(payload), []
    for item in inputs(payload):
        text = typed.get(item.control)
        if text is None or text == item.value:
            continue
        try:
            found[item.name] = _read(item, text)
        except ValueError as error:
            problems.append({"field": item.name, "message": str(error)})
    if problems:
        listed = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
        raise Invalid(f"{listed}", code="bad_field", context={"errors": problems})
    return found


def text_of(payload: Any) -> str:
    """Indented JSON, exact numbers as they are stored."""
    return json.dumps(payload, indent=2, ensure_ascii=False, cls=jsontext.ExactEncoder)


def from_text(text: str) -> Any:
    """Raises Invalid, naming line and column."""
    if not text.strip():
        raise Invalid("The payload is empty. Write a JSON object.", code="payload_empty")
    if len(text) > TEXT_MAX:
        raise Invalid(f"The payload is longer than {TEXT_MAX:,} characters.", code="payload_too_long")
    try:
        return jsontext.storable(jsontext.parse(text.replace("\r\n", "\n")))
    except jsontext.BadJSON as error:
        raise Invalid(
            error.message.replace("The body is", "The payload is").replace("and send again", "and try again"),
            code="bad_json",
        ) from error


def print_of(payload: Any) -> str:
    """Changes when somebody else corrects the payload meanwhile."""
    return fingerprint.of(payload)


def _read(item: Input, text: str) -> Any:
    if item.kind == "number":
        return _number(text.strip())
    if item.kind == "flag":
        return text == TRUE
    if "\0" in text:
        raise ValueError("holds a NUL character, which cannot be stored")
    return text


def _number(text: str) -> Any:
    try:
        value = jsontext.parse(text)
    except jsontext.BadJSON:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{text[:40]!r} is not a number; write it like 1054.00")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if value is None:
        return "nothing"
    return "number" if isinstance(value, int | float | Decimal) else "text"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return "" if value is None else str(value)
