"""A payload corrected as declared: by a merge patch (RFC 7396), by a merge patch whose texts are expressions, or replaced as a whole. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from meshline.kernel import ids, jsontext
from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.expressions import Scope, compiled
from syncflows.engine.replays.enums import Correction

TEXT_MAX = 200_000


def check(correction: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The correction as it is kept: {kind, document, of}; `of` names it. Raises Invalid for what could correct nothing, and for expressions that cannot be compiled."""
    if correction is None:
        return None
    kind, document = correction.get("kind"), correction.get("document")
    if kind not in Correction.values:
        raise Invalid(f"A correction is one of: {', '.join(Correction.values)}.", code="unknown_correction")
    if not isinstance(document, dict) or not (document or kind == Correction.PAYLOAD):
        raise Invalid(
            'A correction is a JSON object with at least one field, such as {"tax_code": "S-US"}.',
            code="correction_not_an_object",
        )
    if len(jsontext.dumps(document)) > TEXT_MAX:
        raise Invalid(f"The correction is longer than {TEXT_MAX:,} characters.", code="correction_too_long")
    if kind == Correction.EXPRESSIONS:
        _compile(document)
    kept = jsontext.parse(jsontext.dumps(jsontext.storable(document)))
    return {"kind": kind, "document": kept, "of": correction.get("of") or ids.new("cor")}


def corrected(payload: Any, correction: Mapping[str, Any] | None) -> Any:
    """The payload as it would be; the given one stays as it is. Raises MeshlineError where an expression does not fit it."""
    if correction is None:
        return payload
    document = correction["document"]
    if correction["kind"] == Correction.PAYLOAD:
        return copy.deepcopy(document)
    if correction["kind"] == Correction.EXPRESSIONS:
        document = _evaluated(document, Scope({"payload": payload}), path="")
    return merged(payload, document)


def merged(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, RFC 7396 section 2: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def _compile(document: Any) -> None:
    if isinstance(document, dict | list):
        for item in document.values() if isinstance(document, dict) else document:
            _compile(item)
    elif isinstance(document, str):
        compiled(document)


def _evaluated(document: Any, scope: Scope, *, path: str) -> Any:
    if isinstance(document, dict):
        return {
            name: _evaluated(item, scope, path=f"{path}.{name}" if path else name) for name, item in document.items()
        }
    if isinstance(document, list):
        return [_evaluated(item, scope, path=f"{path}[{place}]") for place, item in enumerate(document)]
    if not isinstance(document, str):
        return document
    return _exact(compiled(document).evaluate(scope), path)


def _exact(value: Any, path: str) -> Any:
    """A binary float is never an amount: whoever means 10.50 writes it as text, or computes with add, mul, money."""
    if isinstance(value, float):
        raise MeshlineError(
            f"The expression for {path} gives the binary number {value!r}. Write amounts in quotes ('10.50'), or compute with add, sub, mul, money.",
            code="binary_number",
        )
    if isinstance(value, dict):
        return {str(name): _exact(item, f"{path}.{name}") for name, item in value.items()}
    return [_exact(item, path) for item in value] if isinstance(value, list | tuple) else value
