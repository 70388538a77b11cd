"""CloudEvents 1.0.2 as they travel: JSON format, JSON batch format, and HTTP binary mode. Pure parsing: no database, no policy of ours.

Our own rather than the `cloudevents` package (2.2): that one reads amounts as binary floats, knows no batches, and fills in a missing specversion.
Specifications: CloudEvents core 1.0.2, JSON Event Format 1.0.2, HTTP Protocol Binding 1.0.2.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema_rs

from meshline.kernel import jsontext
from meshline.kernel.errors import Invalid

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
SPECVERSION = "1.0"
REQUIRED = ("id", "source", "specversion", "type")
OPTIONAL_TEXTS = ("datacontenttype", "dataschema", "subject", "time")
DATA = frozenset({"data", "data_base64"})
ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
JSON_TYPE = re.compile(r"[^/]+/(?:[^/;]+\+)?json")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
URI_REFERENCE, URI = (
    jsonschema_rs.Draft7Validator({"format": form}, validate_formats=True) for form in ("uri-reference", "uri")
)
INTEGER_LIMIT = 2**31
HEADER_PREFIX = "ce-"


class BadEvent(Invalid):
    """Not a CloudEvent. `context["errors"]` lists {field, message}; `source`, `event_id`, `type` and `data` what could be read of them."""

    default_code = "bad_cloudevent"

    def __init__(self, errors: list[dict[str, str]], *, attributes: Any = None, code: str | None = None) -> None:
        listed = "; ".join(f"{error['field']} {error['message']}" for error in errors)
        super().__init__(f"This is not a CloudEvent 1.0: {listed}.", code=code, context={"errors": errors})
        self.source, self.event_id, self.type = (_readable(attributes, name) for name in ("source", "id", "type"))
        self.data = attributes.get("data") if isinstance(attributes, Mapping) else None
        self.whole = attributes


class WrongMedia(Invalid):
    """The data is of a kind we do not read."""

    default_code = "unsupported_media_type"
    http_status = 415


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event. `data` parsed JSON, None where there is none; `time` aware, UTC; `extensions` by name, as sent."""

    id: str
    source: str
    type: str
    data: Any = None
    subject: str = ""
    time: dt.datetime | None = None
    dataschema: str = ""
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def traceparent(self) -> str:
        """Distributed Tracing extension."""
        return str(self.extensions.get("traceparent", ""))

    @property
    def sequence(self) -> str:
        """Sequence extension."""
        return str(self.extensions.get("sequence", ""))


def structured(value: Any) -> CloudEvent:
    """One event in JSON format, parsed by `jsontext`. Raises BadEvent, naming every attribute that is wrong."""
    if not isinstance(value, dict):
        raise BadEvent([{"field": "the event", "message": "is not a JSON object"}])
    errors = [*_attribute_errors(value), *_extension_errors(value)]
    data = _data(value, errors)
    if errors:
        raise BadEvent(errors, attributes=value)
    return _event(value, data)


def batch(value: Any) -> list[CloudEvent | BadEvent]:
    """Each event of a JSON batch, or what is wrong with it. Raises BadEvent where the whole is not a list."""
    if not isinstance(value, list):
        raise BadEvent([{"field": "the batch", "message": "is not a JSON array of events"}])
    return [_or_error(item) for item in value]


def binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """One event in binary mode: attributes in `ce-` headers (any case), data in the body. Raises BadEvent, WrongMedia, jsontext.BadJSON."""
    found, errors = attributes_of(headers)
    errors += [*_attribute_errors(found), *_extension_errors(found)]
    if errors:
        raise BadEvent(errors, attributes=found)
    media, charset = media_type({name.lower(): value for name, value in headers.items()}.get("content-type", ""))
    if body and not _is_json(media):
        raise WrongMedia(f"The data is {media or 'of no stated type'}; send application/json.")
    refuse_other_charsets(charset)
    return _event(found, jsontext.parse(body) if body else None)


def attributes_of(headers: Mapping[str, str]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The attributes in `ce-` headers, and what could not be read of them."""
    found: dict[str, Any] = {}
    errors = []
    for name, value in headers.items():
        if not name.lower().startswith(HEADER_PREFIX):
            continue
        attribute = name.lower().removeprefix(HEADER_PREFIX)
        try:
            found[attribute] = _decoded(value)
        except UnicodeDecodeError:
            errors.append({"field": attribute, "message": "is not percent-encoded UTF-8"})
    return found, errors


def media_type(header: str) -> tuple[str, str]:
    """Lower-case media type and charset of a Content-Type header; empty where not given."""
    message = Message()
    message["Content-Type"] = header or "unknown/unknown"
    return ("" if not header else message.get_content_type()), str(message.get_param("charset") or "").lower()


def refuse_other_charsets(charset: str) -> None:
    """JSON travels as UTF-8 (RFC 8259, 8.1). Raises WrongMedia."""
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise WrongMedia(f"The charset is {charset}. Send JSON as UTF-8 (RFC 8259).")


def _or_error(item: Any) -> CloudEvent | BadEvent:
    try:
        return structured(item)
    except BadEvent as error:
        return error


def _event(found: Mapping[str, Any], data: Any) -> CloudEvent:
    known = {*REQUIRED, *OPTIONAL_TEXTS, *DATA}
    extensions = {name: value for name, value in found.items() if name not in known and value is not None}
    moment = _time(found["time"]) if found.get("time") else None
    return CloudEvent(
        found["id"],
        found["source"],
        found["type"],
        data,
        found.get("subject") or "",
        moment,
        found.get("dataschema") or "",
        extensions,
    )


def _attribute_errors(found: Mapping[str, Any]) -> list[dict[str, str]]:
    errors = []
    for name in REQUIRED:
        if found.get(name) is None:
            errors.append({"field": name, "message": "is required"})
        elif not isinstance(found[name], str) or not found[name].strip():
            errors.append({"field": name, "message": "must be a text that is not empty"})
    for name in OPTIONAL_TEXTS:
        if found.get(name) is not None and (not isinstance(found[name], str) or not found[name]):
            errors.append({"field": name, "message": "must be a text that is not empty, or left out"})
    wrong = {error["field"] for error in errors}
    return errors + [{"field": name, "message": message} for name, message in _form_errors(found) if name not in wrong]


def _form_errors(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    errors = []
    if found.get("specversion") not in (None, SPECVERSION):
        errors.append(("specversion", f"is {found['specversion']!r}; this is 1.0"))
    for name, form, kind in (("source", URI_REFERENCE, "URI reference"), ("dataschema", URI, "URI with a scheme")):
        if isinstance(found.get(name), str) and found[name] and not form.is_valid(found[name]):
            errors.append((name, f"is not a {kind} (RFC 3986)"))
    if isinstance(found.get("time"), str) and found["time"] and _time(found["time"]) is None:
        errors.append(
            ("time", f"is {found['time'][:40]!r}, which is not an RFC 3339 time such as 2026-11-30T12:00:00Z")
        )
    return errors


def _extension_errors(found: Mapping[str, Any]) -> list[dict[str, str]]:
    errors = []
    for name, value in found.items():
        if name in DATA or name in REQUIRED or name in OPTIONAL_TEXTS:
            continue
        if ATTRIBUTE_NAME.fullmatch(name) is None:
            errors.append(
                {"field": name[:40] or "(empty name)", "message": "is not an attribute name: only a-z and 0-9"}
            )
        elif isinstance(value, int) and not isinstance(value, bool):
            if not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
                errors.append({"field": name, "message": "is beyond 32 bits: send it as text"})
        elif not isinstance(value, str | bool | None):
            errors.append(
                {"field": name, "message": "must be a text, a whole number, true or false: objects belong into data"}
            )
    return errors


def _data(found: Mapping[str, Any], errors: list[dict[str, str]]) -> Any:
    """The data of a structured event as JSON; adds to `errors` what is wrong with it."""
    media = (
        media_type(found["datacontenttype"])[0]
        if isinstance(found.get("datacontenttype"), str) and found["datacontenttype"]
        else "application/json"
    )
    if not _is_json(media):
        errors.append({"field": "datacontenttype", "message": f"is {media}; only JSON data can be carried"})
        return None
    if found.get("data_base64") is None:
        return found.get("data")
    if "data" in found:
        errors.append({"field": "data_base64", "message": "stands beside data: send one of them"})
        return None
    try:
        return jsontext.parse(base64.b64decode(found["data_base64"], validate=True))
    except (binascii.Error, ValueError, TypeError):
        errors.append({"field": "data_base64", "message": "is not base64 (RFC 4648)"})
    except jsontext.BadJSON as error:
        errors.append({"field": "data_base64", "message": f"does not hold JSON: {error.message.rstrip('.')}"})
    return None


def _time(text: str) -> dt.datetime | None:
    if RFC3339.fullmatch(text) is None:
        return None
    leap = re.sub(r":60(?=[.Zz+-])", ":59", text.upper())  # a leap second, which datetime does not know
    try:
        return dt.datetime.fromisoformat(leap).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _decoded(value: str) -> str:
    """HTTP Protocol Binding 3.1.3.2: double quotes undone (RFC 9110, 5.6.4), then percent-decoded once, as UTF-8."""
    value = value.strip()
    if match := QUOTED.fullmatch(value):
        value = re.sub(r"\\(.)", r"\1", match[1])
    return unquote_to_bytes(value).decode("utf-8")


def _is_json(media: str) -> bool:
    return JSON_TYPE.fullmatch(media) is not None


def _readable(attributes: Any, name: str) -> str:
    value = attributes.get(name) if isinstance(attributes, Mapping) else None
    return value if isinstance(value, str) else ""
