"""Builds requests from the definition: addresses, queries, headers, bodies. What comes from documents can change no more than the value it stands in.

Pure, but for secrets that the caller hands in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from meshline.kernel import expressions, jsontext
from meshline.kernel.errors import MeshlineError
from syncflows.connectors.errors import Misconfigured, Rejected

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::(odata|soql))?\}")
PLACEHOLDERS = frozenset({"reference", "idempotency_key", "external_id", "since", "until", "since_date", "until_date"})
TRACE_HEADERS = ("traceparent", "tracestate", "x-correlation-id")
TRACE_VALUE = re.compile(r"[\x20-\x7e]{1,512}")
SOQL_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r"})
HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


def check_template(template: str, *, where: str) -> None:
    """Raises Misconfigured for a placeholder that does not exist."""
    unknown = sorted({name for name, _ in PLACEHOLDER.findall(template)} - PLACEHOLDERS)
    if unknown:
        known = " ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
        raise Misconfigured(f"{where}: there is no placeholder {{{unknown[0]}}}. Placeholders: {known}.")


def check_path(path: str, *, where: str) -> None:
    """Raises Misconfigured for a path that could lead to another host."""
    if not path.startswith("/") or any(character in path for character in "\\\r\n#"):
        raise Misconfigured(
            f"{where}: {path[:80]!r} is not a path. Write it from the slash on, for example /orders/{{reference}}."
        )
    check_template(path, where=where)


def check_base_url(url: str, *, where: str = "spec.base_url") -> str:
    """The address without a closing slash. Raises Misconfigured."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"{where}: {url[:80]!r} is not an address such as https://erp.example.com/api.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Misconfigured(
            f"{where} may hold no user, password, query or fragment; credentials belong under spec.auth."
        )
    return url.rstrip("/")


def build_url(*, base_url: str, path: str, query: Mapping[str, str], values: Mapping[str, str], where: str) -> str:
    """The full address, with every value percent-encoded. Raises Misconfigured, and Rejected for a value that would change the path."""
    raw_path, _, raw_query = path.partition("?")
    url = base_url + _fill(raw_path, values, lambda name, value: _path_value(name, value, where), where)
    pairs = [(name, _fill(text, values, lambda _, value: value, where)) for name, text in query.items()]
    parts = [_fill(raw_query, values, lambda _, value: quote(value, safe=""), where), urlencode(pairs)]
    joined = "&".join(part for part in parts if part)
    return f"{url}?{joined}" if joined else url


def with_query(url: str, query: Mapping[str, str]) -> str:
    """The address with more query; a name that is there already is replaced."""
    if not query:
        return url
    address, _, present = url.partition("?")
    kept = [(name, value) for name, value in parse_qsl(present, keep_blank_values=True) if name not in query]
    return f"{address}?{urlencode([*kept, *query.items()])}"


def build_headers(templates: Mapping[str, str], *, values: Mapping[str, str], where: str) -> dict[str, str]:
    """Header lines. Raises Misconfigured, and Rejected for a value with a line break."""
    return {
        name.lower(): _fill(text, values, lambda name, value: _header_value(name, value, where), where)
        for name, text in templates.items()
    }


def trace_headers(correlation: Mapping[str, str]) -> dict[str, str]:
    """W3C Trace Context (or our correlation id, where that is no trace id) among what is to be propagated."""
    lowered = {name.lower(): value for name, value in correlation.items()}
    return {name: lowered[name] for name in TRACE_HEADERS if TRACE_VALUE.fullmatch(lowered.get(name, ""))}


def build_body(source: str | None, *, variables: Mapping[str, Any], default: Any, where: str) -> bytes | None:
    """JSON with exact amounts; None for no body. Raises Misconfigured."""
    value = default
    if source is not None:
        try:
            value = expressions.compiled(source).evaluate(variables)
        except MeshlineError as error:
            raise Misconfigured(f"{where}: {error.message} Nothing was sent.", context=error.context) from error
    return None if value is None else jsontext.dumps(_finite(value, where), separators=(",", ":")).encode()


def _fill(template: str, values: Mapping[str, str], encode: Callable[[str, str], str], where: str) -> str:
    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            raise Misconfigured(
                f"{where} uses {{{name}}}, which has no value here. Placeholders here: {', '.join(sorted(values))}."
            )
        return encode(name, _quoted(found, template, values[name], where))

    return PLACEHOLDER.sub(value_of, template)


def _quoted(found: re.Match[str], template: str, value: str, where: str) -> str:
    """The value as the query language wants it within its quotes. Raises Rejected for one that would end quotes nobody escapes."""
    name, language = found[1], found[2]
    if language == "odata":
        return value.replace("'", "''")
    if language == "soql":
        return value.translate(SOQL_ESCAPES)
    within = template[max(0, found.start() - 1) : found.start()] in ("'", '"')
    if within and any(character in value for character in "'\"\\"):
        raise _unfit(
            name,
            value,
            where,
            f"would end the quotes that it stands in (write {{{name}:odata}} or {{{name}:soql}} there)",
        )
    return value


def _path_value(name: str, value: str, where: str) -> str:
    if value.strip() in ("", ".", ".."):
        raise _unfit(name, value, where, "would change the path")
    return quote(value, safe="")


def _header_value(name: str, value: str, where: str) -> str:
    if not value.isprintable():
        raise _unfit(name, value, where, "holds a line break or control character")
    return value if value.isascii() else quote(value, safe=HEADER_SAFE)


def _unfit(name: str, value: str, where: str, why: str) -> Rejected:
    message = f"{where}: the {name} {value[:60]!r} {why}; nothing was sent. Correct the {name} and replay."
    return Rejected(message, code="unfit_reference", context={"details": [{"field": name, "message": why}]})


def _finite(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Misconfigured(f"{where} gives {value}, which is no number in JSON. Nothing was sent.")
    return value
