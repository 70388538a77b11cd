"""Reads what an error answer says, whatever shape it comes in: a sentence for people, a code, and {field, message} pairs.

Shapes: RFC 9457 problem+json, {"error": …}, {"errors": …}, Salesforce's array, Jira's errorMessages, SAP's error.message.value,
NetSuite's o:errorDetails, Zendesk's details, field-to-messages objects. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TEXT_KEYS = ("message", "detail", "error_description", "description", "msg", "errorMessage", "reason", "title", "value")
FIELD_KEYS = (
    "field",
    "path",
    "target",
    "property",
    "o:errorPath",
    "o:errorQueryParam",
    "pointer",
    "name",
    "loc",
    "fields",
)
CODE_KEYS = ("code", "errorCode", "o:errorCode", "error_code", "error", "type")
CONTAINERS = (
    "error", "errors", "details", "o:errorDetails", "innererror", "errordetails", "errorMessages", "fault",
    "validationErrors", "source", "body", "problems",
)  # fmt: skip
LISTED_MAX = 20
LENGTH_MAX = 300
DEPTH_MAX = 6


@dataclass(frozen=True)
class Said:
    """sentence: for people, at most 300 characters, empty where the answer says nothing. code: the far side's own."""

    sentence: str = ""
    code: str = ""
    details: list[dict[str, str]] = field(default_factory=list)


def read(answer: Any) -> Said:
    """What the answer says went wrong."""
    found: list[dict[str, str]] = []
    for item in _messages(answer, field_name="", depth=0):
        if item not in found:
            found.append(item)
        if len(found) == LISTED_MAX:
            break
    return Said(_sentence(found), _code(answer, depth=0), found)


def _sentence(details: list[dict[str, str]]) -> str:
    parts: list[str] = []
    for item in details:
        if not any(item["message"] in part for part in parts):
            parts.append(f"{item['field']}: {item['message']}" if item["field"] else item["message"])
    return clip("; ".join(part.rstrip(".") for part in parts[:4]))


def clip(text: str) -> str:
    """At most 300 characters, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LENGTH_MAX else f"{line[: LENGTH_MAX - 1]}…"


def _messages(value: Any, *, field_name: str, depth: int) -> Iterator[dict[str, str]]:
    if isinstance(value, str) and value.strip() and depth:
        yield {"field": field_name, "message": clip(value)}
    elif isinstance(value, list) and depth <= DEPTH_MAX:
        for item in value[:LISTED_MAX]:
            yield from _messages(item, field_name=field_name, depth=depth + 1)
    elif isinstance(value, dict) and depth <= DEPTH_MAX:
        yield from _of_object(value, field_name=field_name, depth=depth)


def _of_object(value: dict[str, Any], *, field_name: str, depth: int) -> Iterator[dict[str, str]]:
    text, named = _text(value), _field(value) or field_name
    if text:
        yield {"field": named, "message": clip(text)}
    elif _is_code(value.get("error")):
        yield {"field": named, "message": str(value["error"])}
    inner = [key for key in (*CONTAINERS, *TEXT_KEYS) if isinstance(value.get(key), dict | list)]
    for key in inner:
        yield from _messages(value[key], field_name=named, depth=depth + 1)
    if not inner and not text and not _is_code(value.get("error")):
        yield from _by_field(value, field_name=named, depth=depth)


def _by_field(value: dict[str, Any], *, field_name: str, depth: int) -> Iterator[dict[str, str]]:
    """{"total": ["is wrong"]}: the keys are the fields."""
    for key, item in list(value.items())[:LISTED_MAX]:
        if key not in CODE_KEYS and (isinstance(item, list) or depth):
            yield from _messages(item, field_name=f"{field_name}.{key}" if field_name else key, depth=depth + 1)


def _text(value: dict[str, Any]) -> str:
    candidates = (value.get(key) for key in (*TEXT_KEYS, "Message", "error"))
    return next((item for item in candidates if isinstance(item, str) and " " in item.strip()), "") or next(
        (str(value[key]) for key in TEXT_KEYS if isinstance(value.get(key), str) and value[key].strip()), ""
    )


def _field(value: dict[str, Any]) -> str:
    for key in FIELD_KEYS:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, list) and found and all(isinstance(part, str | int) for part in found):
            return ".".join(str(part) for part in found)
    return ""


def _code(value: Any, *, depth: int) -> str:
    if depth > DEPTH_MAX:
        return ""
    if isinstance(value, list):
        return next((code for item in value[:LISTED_MAX] if (code := _code(item, depth=depth + 1))), "")
    if not isinstance(value, dict):
        return ""
    own = next((str(value[key]) for key in CODE_KEYS if _is_code(value.get(key))), "")
    return own or _code([value[key] for key in CONTAINERS if key in value], depth=depth + 1)


def _is_code(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (
        isinstance(value, str) and 0 < len(value) <= 100 and " " not in value and "://" not in value
    )
