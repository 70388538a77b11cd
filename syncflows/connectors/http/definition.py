"""Reads a System definition and refuses what cannot work, before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from syncflows.connectors.errors import Misconfigured
from syncflows.connectors.http import requests
from syncflows.connectors.protocol import Guard, Operation
from syncflows.governance.schemas import systems

READS = frozenset({"GET"})
REMOVES = "DELETE"


def read(spec: Mapping[str, Any] | systems.System, *, name: str) -> systems.System:
    """The definition, validated. Raises Misconfigured with the path in the document."""
    try:
        system = spec if isinstance(spec, systems.System) else systems.System.model_validate(dict(spec))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(f"{name}: spec.{path}: {first['msg']}.") from error
    if isinstance(system.base_url, str) and system.base_url:
        requests.check_base_url(system.base_url)
    for operation, details in system.operations.items():
        _check(details, where=f"spec.operations.{operation}")
    if system.health:
        requests.check_path(system.health, where="spec.health")
    return system


def operations(system: systems.System) -> dict[str, Operation]:
    """What the system can be asked to do, as the protocol names it."""
    return {name: _operation(name, details, system) for name, details in system.operations.items()}


def finding(system: systems.System, name: str) -> systems.Find | None:
    """How an operation's documents are looked up. What removes a document is seen by looking for that document."""
    details = system.operations[name]
    undone = system.operations.get(details.undoes)
    return details.find or (undone.find if undone is not None and details.method == REMOVES else None)


def _operation(name: str, details: systems.Operation, system: systems.System) -> Operation:
    find = finding(system, name)
    return Operation(
        name, writes(details), _guard(details, find), finds=find is not None, undoes=details.undoes, removes=details.method == REMOVES,
        on_document="{external_id}" in details.path.partition("?")[0], settle_s=find.settle_s if find else None, looks=find.looks if find else 1,
    )  # fmt: skip


def writes(operation: systems.Operation) -> bool:
    """A list read by POST (a query language) changes nothing."""
    return operation.method not in READS and operation.items is None


def _guard(operation: systems.Operation, find: systems.Find | None) -> Guard:
    """Without a `find` nothing can be looked up, whatever the definition calls it."""
    guard = Guard(operation.guard)
    if not writes(operation) or (guard is Guard.LOOKUP and find is None):
        return Guard.NONE
    return guard


def _check(operation: systems.Operation, *, where: str) -> None:
    requests.check_path(operation.path, where=f"{where}.path")
    for part, templates in (("query", operation.query), ("headers", operation.headers)):
        for key, template in templates.items():
            requests.check_template(template, where=f"{where}.{part}.{key}")
    if operation.find is not None:
        requests.check_path(operation.find.path, where=f"{where}.find.path")
        for key, template in operation.find.query.items():
            requests.check_template(template, where=f"{where}.find.query.{key}")
    _check_identifiable(operation, where=where)


def _check_identifiable(operation: systems.Operation, *, where: str) -> None:
    """A write whose document we could not name afterwards is never sent."""
    address = operation.path.partition("?")[0]
    named = operation.external_id is not None or "{external_id}" in address or "{reference}" in address
    if writes(operation) and not named:
        raise Misconfigured(
            f"{where}.external_id is missing: say where the answer holds the document's id, for example answer.id."
        )
