"""Which of the documents found by reference really carry it. Says "none" only on evidence: a wrong "none" is a second order. Pure."""

from __future__ import annotations

from typing import Any

from meshline.kernel import expressions
from meshline.kernel.errors import MeshlineError
from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.protocol import JSON, Answer
from syncflows.governance.schemas.systems import Find


def read(find: Find, *, answer: Any, headers: dict[str, str], status: int, reference: str, where: str) -> list[Answer]:
    """The documents that carry the reference. Raises Misconfigured where the answer does not show whether they do."""
    items = objects(
        find.items,
        {"answer": answer, "headers": headers, "status": status, "reference": reference},
        where=f"{where}.items",
    )
    return [
        Answer(external_id(find.external_id, item, where=where), item, created=False)
        for item in matching(find, items, reference, where)
    ]


def matching(find: Find, items: list[JSON], reference: str, where: str) -> list[JSON]:
    if find.match is not None:
        return [
            item
            for item in items
            if _value(find.match, {"item": item, "reference": reference}, f"{where}.match") is True
        ]
    if "{reference}" in find.path.partition("?")[0] and len(items) == 1:
        return items  # the address itself names the document
    kept = [item for item in items if carries(item, reference)]
    if items and not kept:
        raise Misconfigured(
            f"{where}: {len(items)} documents came for the reference {reference!r}, and none of them shows it, so nobody can tell whether "
            "it exists: the system may ignore the query. Correct query, or add match (an expression over item and reference)."
        )
    return kept


def objects(source: str, variables: dict[str, Any], *, where: str) -> list[JSON]:
    """The list of objects that `source` names; null is an empty one. Raises Misconfigured."""
    found = _value(source, variables, where)
    items = [found] if isinstance(found, dict) else [] if found is None else found
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Misconfigured(
            f"{where}: `{source}` gives no list of objects. Say where in the answer the documents stand."
        )
    return items


def external_id(source: str, item: JSON, *, where: str) -> str:
    """Raises Misconfigured where the item has none."""
    found = _value(source, {"item": item}, f"{where}.external_id")
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise Misconfigured(f"{where}.external_id: `{source}` gives {found!r}, which is no id.")
    return str(found)


def carries(value: Any, reference: str) -> bool:
    """Whether any value within equals the reference."""
    if isinstance(value, dict):
        return any(carries(item, reference) for item in value.values())
    if isinstance(value, list):
        return any(carries(item, reference) for item in value)
    return not isinstance(value, bool) and value is not None and str(value).strip() == reference.strip()


def _value(source: str, variables: dict[str, Any], where: str) -> Any:
    try:
        return expressions.compiled(source).evaluate(variables)
    except MeshlineError as error:
        raise Misconfigured(f"{where}: {error.message}.", context=error.context) from error
