"""JSON as money needs it: numbers stay exact, NaN and duplicate keys are refused, and so is what Postgres cannot store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from meshline.kernel import json_places
from meshline.kernel.errors import Invalid

DEPTH_LIMIT = 64
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ESCAPED_SUSPECT = re.compile(r"\\u(?:0000|d[89a-f])")  # quick to look for; also found in harmless texts


class _Constant(Exception):
    """NaN or an infinity."""


class _Twice(Exception):
    """A key that was there before."""


class BadJSON(Invalid):
    default_code = "bad_json"
    http_status = 400


def parse(text: str | bytes) -> Any:
    """Python value with `Decimal` for every number that has a point or an exponent. Raises BadJSON, naming line and column."""
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        value = json.loads(decoded, parse_float=_exact, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except _Constant as error:
        where = json_places.of_constant(decoded)
        raise BadJSON(
            f"The JSON holds {error} {where}, which is not a number (RFC 8259). Send null or leave the field out."
        ) from error
    except _Twice as error:
        where = json_places.of_repeated_key(decoded)
        raise BadJSON(
            f"The key {str(error)!r} stands twice in one object, {where}: which one counts is not defined. Send it once."
        ) from error
    except UnicodeDecodeError as error:
        raise BadJSON(f"The body is not UTF-8: byte {error.start} cannot be read. Send JSON as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise BadJSON(
            f"The body is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise BadJSON(f"The JSON is nested deeper than {DEPTH_LIMIT} levels.") from error
    except ValueError as error:  # Python refuses to read whole numbers of more than 4,300 digits
        raise BadJSON("The JSON holds a whole number of thousands of digits, which no amount is.") from error
    _check_depth(value)
    return value


def storable(value: Any) -> Any:
    """The same value, fit for a JSONB column. Raises BadJSON for what PostgreSQL refuses: NUL characters, halves of surrogate pairs, endless nesting."""
    _check_depth(value)
    if ESCAPED_SUSPECT.search(json.dumps(value, cls=ExactEncoder)) and any(
        UNSTORABLE.search(text) for text in _texts(value)
    ):
        raise BadJSON(
            "The text holds a NUL character or half a surrogate pair, which cannot be stored. Remove it and send again."
        )
    return value


def mended(value: Any) -> Any:
    """What another system said, with what PostgreSQL refuses (NUL, halves of surrogate pairs) replaced: an answer is never lost for one character."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {mended(str(key)): mended(item) for key, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, list | tuple) else value


def dumps(value: Any, **options: Any) -> str:
    """JSON text with Decimals written as strings, so that no reader turns them into binary floats."""
    return json.dumps(value, cls=ExactEncoder, ensure_ascii=False, **options)


class ExactEncoder(json.JSONEncoder):
    """Decimals become strings: `1054.00` stays `"1054.00"` in every store and every reader."""

    def default(self, o: Any) -> Any:
        if isinstance(o, Decimal):
            return format(o, "f")
        if hasattr(o, "isoformat"):
            return o.isoformat()
        return super().default(o)


def _exact(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadJSON(f"The number {text[:40]} cannot be read.") from error
    if abs(value.adjusted()) > 40:
        raise BadJSON(f"The number {text[:40]} is beyond what an amount can be (40 digits).")
    return value


def _refuse_constant(name: str) -> Any:
    raise _Constant(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Twice(twice)
    return found


def _check_depth(value: Any) -> None:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise BadJSON(f"The JSON is nested deeper than {DEPTH_LIMIT} levels.")
        layer = [
            child
            for item in layer
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
