"""Hold a payload against its contract: read its texts as values, find its key, check its shape. Pure: no database, no network."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs

from meshline.kernel import expressions, fingerprint, money
from meshline.kernel.errors import MeshlineError
from syncflows.governance.catalog import Versioned
from syncflows.governance.schemas.flows import Read

TRUE, FALSE = frozenset({"true", "yes", "1", "y"}), frozenset({"false", "no", "0", "n"})
SHOWN_VIOLATIONS = 20


KEY_LENGTH, SEQUENCE_LENGTH = 200, 60


class Unreadable(MeshlineError):
    """A field's text is not what the contract says it is. `context["errors"]` lists {field, message}."""

    default_code = "unreadable_field"


@dataclass(frozen=True)
class Identity:
    """Which record an event speaks of, and which event it is. `sequence` orders events of one key, as text; empty: by arrival."""

    key: str
    event_id: str
    sequence: str
    occurred_at: dt.datetime | None


@dataclass(frozen=True)
class Violation:
    """`path` as a JSON pointer."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the payload'}: {self.message}"


def read(contract: Versioned, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with texts read as the contract says: empty texts of named fields are null, decimals exact numerals without trailing zeros, dates ISO.

    Raises Unreadable, naming every field that cannot be read.
    """
    found: dict[str, Any] = expressions.plain(payload)  # a copy of its own
    problems = []
    for field, rule in contract.spec.reads().items():
        try:
            _replace(found, field.split("."), rule)
        except MeshlineError as error:
            problems.append({"field": field, "message": error.message})
        except ValueError as error:
            problems.append({"field": field, "message": str(error)})
    if problems:
        listed = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
        raise Unreadable(
            f"Fields cannot be read as contract {contract.name} {contract.spec.version} says: {listed}.",
            context={"errors": problems},
        )
    return found


def identify(contract: Versioned, payload: Mapping[str, Any]) -> Identity:
    """Key, event id, sequence and time of a payload as `read` gave it. Raises MeshlineError where the key cannot be worked out."""
    scope = expressions.Scope({"payload": payload})
    key = _text(contract.spec.key, scope)
    if not key:
        raise Unreadable(
            f"The key `{contract.spec.key}` of contract {contract.name} is empty in this event.", code="key_missing"
        )
    event_id = _text(contract.spec.event_id, scope) if contract.spec.event_id else fingerprint.of(payload)
    sequence = _text(contract.spec.sequence, scope) if contract.spec.sequence else ""
    occurred = _text(contract.spec.occurred_at, scope) if contract.spec.occurred_at else ""
    _fits("key", key, KEY_LENGTH, contract)
    _fits("event_id", event_id, KEY_LENGTH, contract)
    _fits("sequence", sequence, SEQUENCE_LENGTH, contract)
    return Identity(key, event_id, sequence, moment(occurred))


def _fits(field: str, value: str, length: int, contract: Versioned) -> None:
    """Cut short, two records of the same beginning would become one. Raises Unreadable."""
    if len(value) > length:
        raise Unreadable(
            f"The {field} of this event has {len(value)} characters, and at most {length} are kept: {value[:40]}… "
            f"Choose a shorter one in contract {contract.name}, or correct the event.",
            code=f"{field}_too_long",
            context={"field": field, "length": len(value)},
        )


def violations(contract: Versioned, payload: Mapping[str, Any]) -> list[Violation]:
    """Where the payload breaks the contract's schema; empty when it holds. At most 20 are listed."""
    found = []
    for error in _validator(contract.fingerprint, _Schema(contract.spec.schema_)).iter_errors(payload):
        found.append(Violation("/".join(("", *map(str, error.instance_path))), _violation_words(error)))
        if len(found) == SHOWN_VIOLATIONS:
            break
    return found


def _violation_words(error: jsonschema_rs.ValidationError) -> str:
    """What is wrong, for people: a field that is not there is missing, whatever the schema calls it."""
    kind = error.kind
    return (
        f"{kind.property} is missing" if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required) else error.message
    )


def moment(text: str) -> dt.datetime | None:
    """An aware UTC time from ISO 8601 text (a bare date is midnight UTC); None where it is none."""
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


class _Schema:
    """Carries a schema past the cache's hashing: the version's fingerprint is its identity."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Schema)


@lru_cache(maxsize=512)
def _validator(identity: str, schema: _Schema) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema.value)


def _replace(holder: Any, path: list[str], rule: Read) -> None:
    *parents, leaf = path
    for name in parents:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return
    value = holder.get(leaf)
    value = value.strip() if isinstance(value, str) else value
    if value is None or value == "":
        if rule.required:
            raise ValueError("is empty, and must not be")
        if leaf in holder:
            holder[leaf] = None
        return
    holder[leaf] = expressions.plain(_value(value, rule))


def _value(value: Any, rule: Read) -> Any:
    match rule.type:
        case "decimal":
            return money.shortest(money.decimal(value))
        case "integer":
            return _integer(value)
        case "date":
            return expressions.FUNCTIONS["date"](value, rule.formats or None)
        case "datetime":
            return _datetime(str(value), rule.formats)
        case "boolean":
            return _boolean(value)
    return str(value)


def _integer(value: Any) -> int:
    exact = money.decimal(value)
    if exact != exact.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    return int(exact)


def _boolean(value: Any) -> bool:
    word = str(value).casefold()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def _datetime(value: str, formats: list[str]) -> str:
    for pattern in formats:
        try:
            found = dt.datetime.strptime(value, pattern)  # noqa: DTZ007 - made aware below
        except ValueError:
            continue
        return (found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)).isoformat()
    parsed = moment(value)
    if parsed is None:
        raise ValueError(f"{value[:40]!r} is not a time such as 2026-11-30T12:00:00Z")
    return parsed.isoformat()


def _text(source: str, scope: expressions.Scope) -> str:
    found = expressions.compiled(source).evaluate(scope)
    return "" if found is None else str(found).strip()
