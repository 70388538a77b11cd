"""Can an operation be made safe, so that a write whose answer is lost is never done twice? Pure.

A guard is a promise of the far side; what the definition lacks for keeping it is told here, before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from syncflows.governance.problems import PathParts, suggestion
from syncflows.governance.schemas import Operation
from syncflows.governance.schemas.base import read_by
from syncflows.governance.universe import Finding, Subject

ACCEPTED = {"unsafe": "accepted"}
PLACEHOLDER = re.compile(r"\{(\w+)(?::(?:odata|soql))?\}")
UNQUOTED = re.compile(r"['\"]\{(\w+)\}")
PLACEHOLDERS = frozenset({"reference", "idempotency_key", "external_id", "since", "until", "since_date", "until_date"})
FINDABLE = frozenset({"reference"})
ADDRESSED = re.compile(r"\{(external_id|reference)\}")
HTTP = "http"  # the connector whose operations stand in the System document; others bring theirs in code
GUARD_NONE, GUARD_LOOKUP, GUARD_KEY, GUARD_UNIQUE = "none", "lookup", "idempotency_key", "unique_reference"
REMOVES = "DELETE"


def is_write(operation: Operation) -> bool:
    """Whether it changes the far side. A POST that lists (`items`) reads."""
    return operation.method != "GET" and operation.items is None


def check(subject: Subject) -> Iterator[Finding]:
    """Findings of a System's operations."""
    for name, operation in subject.spec.operations.items():
        path: PathParts = ("spec", "operations", name)
        yield from _placeholders(subject, operation, path)
        if is_write(operation):
            yield from _guard(subject, name, operation, path)
            yield from _identity(subject, operation, path)
        yield from _undoes(subject, name, operation, (*path, "undoes"))


def _guard(subject: Subject, name: str, operation: Operation, path: PathParts) -> Iterator[Finding]:
    problem = _unsafe(operation, findable=finds(subject.spec, operation))
    if not problem:
        return
    accepted = ACCEPTED.items() <= subject.labels.items()
    remedy = "Accepted by the label `unsafe: accepted`." if accepted else _remedy(operation)
    yield Finding(subject, (*path, "guard"), f"`{name}` cannot be made safe: {problem}", remedy, is_warning=accepted)


def _identity(subject: Subject, operation: Operation, path: PathParts) -> Iterator[Finding]:
    """A write whose document could not be named afterwards is never sent by the `http` connector."""
    address = operation.path.partition("?")[0]
    if subject.spec.connector == HTTP and operation.external_id is None and not ADDRESSED.search(address):
        message = "nothing says which document was written, so it could not be found again."
        yield Finding(
            subject, (*path, "external_id"), message, "Say where the answer holds the document's id, such as answer.id."
        )


def finds(system: Any, operation: Operation) -> bool:
    """Whether its documents can be looked up. What removes a document is seen by looking for that document."""
    undone = system.operations.get(operation.undoes)
    return operation.find is not None or (
        operation.method == REMOVES and undone is not None and undone.find is not None
    )


def _undoes(subject: Subject, name: str, operation: Operation, path: PathParts) -> Iterator[Finding]:
    """What takes a document back names the write that made it, and is a write itself."""
    if not operation.undoes:
        return
    writes = [other for other, found in subject.spec.operations.items() if is_write(found) and other != name]
    if operation.undoes not in writes:
        message = f"`{operation.undoes}` is no write of this System, so `{name}` cannot take it back."
        yield Finding(subject, path, message, suggestion(operation.undoes, writes, kind="Its writes"))
    elif not is_write(operation):
        yield Finding(
            subject, path, f"`{name}` only reads, so it takes nothing back.", "Put `undoes` on the write that does."
        )


def _unsafe(operation: Operation, *, findable: bool) -> str:
    if operation.guard == GUARD_NONE:
        return "with guard `none`, a write whose answer is lost is either lost or done twice."
    if operation.guard == GUARD_UNIQUE and not findable:
        return "guard `unique_reference`: a second one is refused, and without a `find` nobody can tell the id of the first after a lost answer."
    if operation.guard == GUARD_LOOKUP and not findable:
        return "guard `lookup` looks the document up by our reference, and there is no `find` that says how."
    if operation.guard == GUARD_KEY and not _sends_key(operation):
        return "guard `idempotency_key` needs the key to be sent, and {idempotency_key} stands in no header, path, query or body."
    return ""


def _remedy(operation: Operation) -> str:
    if operation.guard == GUARD_KEY:
        return 'Add `headers: {Idempotency-Key: "{idempotency_key}"}`, or choose another guard.'
    return "Give it a `find` (guard lookup), or another guard that the system keeps; to accept the risk, set metadata.labels `unsafe: accepted`."


def _sends_key(operation: Operation) -> bool:
    texts = [operation.path, *operation.query.values(), *operation.headers.values()]
    return any(f"{{{GUARD_KEY}}}" in text for text in texts) or (
        operation.body is not None and GUARD_KEY in read_by(operation.body)
    )


def _placeholders(subject: Subject, operation: Operation, path: PathParts) -> Iterator[Finding]:
    for place, text in _texts(operation):
        for name in UNQUOTED.findall(text):
            message = f"`{{{name}}}` stands in quotes here, and a quote within its value would end them: the look-up could then find anything."
            yield Finding(
                subject,
                (*path, *place),
                message,
                f"Write {{{name}:odata}} or {{{name}:soql}}, which quote it as these languages want.",
            )
        for name in PLACEHOLDER.findall(text):
            known = FINDABLE if place[0] == "find" else PLACEHOLDERS
            if name not in known:
                yield Finding(
                    subject,
                    (*path, *place),
                    f"`{{{name}}}` is not a placeholder.",
                    suggestion(name, known, kind="Placeholders"),
                )


def _texts(operation: Operation) -> Iterator[tuple[PathParts, str]]:
    yield ("path",), operation.path
    for field in ("query", "headers"):
        yield from (((field, key), text) for key, text in getattr(operation, field).items())
    find: Any = operation.find
    if find:
        yield ("find", "path"), find.path
        yield from ((("find", "query", key), text) for key, text in find.query.items())
