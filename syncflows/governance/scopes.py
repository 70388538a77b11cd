"""Which variables each expression of a definition may read, and which it reads that do not exist there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from meshline.kernel import expressions
from syncflows.governance.enums import Kind
from syncflows.governance.problems import PathParts, suggestion
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS, read_by
from syncflows.governance.universe import Finding, Subject, Universe

PAYLOAD = frozenset({"payload"})
ANSWER = frozenset({"status", "answer", "headers"})
SENT = frozenset({"document", "reference", "idempotency_key", "external_id"})
WINDOW = frozenset({"since", "until", "since_date", "until_date"})
LOOKUP = re.compile(r"\b(?:lookup|delivered)\(\s*['\"]([^'\"]*)['\"]")
DELIVERED_TO = re.compile(r"\bdelivered\([^()]*(?:\([^()]*\)[^()]*)*,\s*['\"]([^'\"]*)['\"]\s*\)")
STEPS_READ = re.compile(r"\bsteps(?:\[['\"]([^'\"]+)['\"]\]|\.(\w+))")
RESERVED = frozenset({"payload", "steps", "item", "failure", "answer", "body", "headers", "document", "reference"})


@dataclass(frozen=True)
class Reading:
    """An expression at `path`, the names it may read, and whether `lookup` and `delivered` work there."""

    path: PathParts
    source: str
    names: frozenset[str]
    looks_up: bool = False


def check(subject: Subject, universe: Universe) -> Iterator[Finding]:
    """A finding for every unknown name in the subject's expressions."""
    finder = READINGS.get(subject.kind)
    for reading in finder(subject.spec, universe) if finder else ():
        yield from _unknown_names(subject, reading)
        yield from _functions(subject, reading, universe)
    if subject.kind == Kind.MAPPING:
        yield from _shadowing(subject)
    if subject.kind == Kind.FLOW:
        yield from _later_steps(subject)


def leaves(template: Any, path: PathParts) -> Iterator[tuple[PathParts, str]]:
    """The expressions of a template, with their places."""
    if isinstance(template, dict | list):
        items: Iterable[tuple[Any, Any]] = template.items() if isinstance(template, dict) else enumerate(template)
        for key, value in items:
            yield from leaves(value, (*path, key))
    elif template is not None:
        yield path, template


def _unknown_names(subject: Subject, reading: Reading) -> Iterator[Finding]:
    for name in sorted(read_by(reading.source) - reading.names):
        message = f"`{reading.source}` reads `{name}`, which does not exist here."
        yield Finding(subject, ("spec", *reading.path), message, suggestion(name, reading.names, kind="Names here"))


def _functions(subject: Subject, reading: Reading, universe: Universe) -> Iterator[Finding]:
    used = ENGINE_FUNCTIONS & set(expressions.compiled(reading.source, extra=ENGINE_FUNCTIONS).program.functions())
    path = ("spec", *reading.path)
    if used and not reading.looks_up:
        message = f"`{reading.source}` calls {', '.join(sorted(used))}, which works in `let` and `fields` of a Mapping and in steps only."
        yield Finding(subject, path, message, "Look it up in the mapping's `let`, and read that name here.")
        return
    objects = {mapping.spec.object for mapping in universe.all(Kind.MAPPING)}
    for entity in LOOKUP.findall(reading.source):
        if entity not in objects:
            yield Finding(
                subject,
                path,
                f"no mapping makes a `{entity}`, so it cannot be looked up.",
                suggestion(entity, objects, kind="Objects"),
            )
    systems = universe.names(Kind.SYSTEM)
    for system in DELIVERED_TO.findall(reading.source):
        if system not in systems:
            yield Finding(
                subject, path, f"there is no System `{system}`.", suggestion(system, systems, kind="System definitions")
            )


def _shadowing(subject: Subject) -> Iterator[Finding]:
    for name in {*subject.spec.let, subject.spec.object} & (RESERVED | expressions.LANGUAGE):
        path = ("spec", "let", name) if name in subject.spec.let else ("spec", "object")
        yield Finding(subject, path, f"`{name}` has a meaning of its own in expressions.", "Choose another name.")
    if subject.spec.object in subject.spec.let:
        yield Finding(
            subject,
            ("spec", "let", subject.spec.object),
            "is the name of the object itself.",
            "Choose another name for the intermediate value.",
        )


def _later_steps(subject: Subject) -> Iterator[Finding]:
    earlier: set[str] = set()
    for index, step in enumerate(subject.spec.steps):
        place: PathParts = ("spec", "steps", index)
        yield from _not_before(subject, leaves(step.document, (*place, "document")), earlier)
        earlier.add(step.name)
        if step.undo:
            undo = [((*place, "undo", name), getattr(step.undo, name)) for name in ("when", "reference")]
            texts = [
                *((path, text) for path, text in undo if text),
                *leaves(step.undo.document, (*place, "undo", "document")),
            ]
            yield from _not_before(subject, texts, earlier)


def _not_before(subject: Subject, texts: Iterable[tuple[PathParts, str]], earlier: set[str]) -> Iterator[Finding]:
    for path, source in texts:
        for name in (bracket or dotted for bracket, dotted in STEPS_READ.findall(source)):
            if name not in earlier:
                message = f"`{name}` is not a step before this one."
                yield Finding(subject, path, message, suggestion(name, earlier, kind="Steps before it"))


def _given(names: frozenset[str], *places: tuple[PathParts, str | None], looks_up: bool = False) -> Iterator[Reading]:
    yield from (Reading(path, source, names, looks_up) for path, source in places if source)


def _contract(spec: Any, universe: Universe) -> Iterator[Reading]:
    yield from _given(
        PAYLOAD, *(((field,), getattr(spec, field)) for field in ("key", "event_id", "sequence", "occurred_at"))
    )


def _mapping(spec: Any, universe: Universe) -> Iterator[Reading]:
    names = PAYLOAD | set(spec.let)
    yield from _given(names, *((("let", name), source) for name, source in spec.let.items()), looks_up=True)
    yield from _given(names, *leaves(spec.fields, ("fields",)), looks_up=True)
    seen = names | {spec.object}
    headline = ("amount", "currency", "customer", "business_date", "requester")
    yield from _given(
        seen, *(((field,), getattr(spec, field)) for field in headline), *leaves(spec.identifiers, ("identifiers",))
    )


def _policy(spec: Any, universe: Universe) -> Iterator[Reading]:
    mappings = [found.spec for found in universe.all(Kind.MAPPING) if found.spec.object == spec.object]
    names = PAYLOAD | {spec.object} | {name for mapping in mappings for name in mapping.let}
    yield from _rules(spec, names)


def _rules(spec: Any, names: frozenset[str], base: PathParts = ()) -> Iterator[Reading]:
    for index, rule in enumerate(spec.rules):
        path: PathParts = (*base, "rules", index)
        yield from _given(names, ((*path, "when"), rule.when), ((*path, "message"), rule.message))
        yield from _given(names, *leaves(rule.inputs, (*path, "inputs")), *leaves(rule.binds, (*path, "binds")))


def _flow(spec: Any, universe: Universe) -> Iterator[Reading]:
    for index, rule in enumerate(spec.trigger.ignore):
        path: PathParts = ("trigger", "ignore", index)
        yield from _given(PAYLOAD, ((*path, "when"), rule.when), ((*path, "reason"), rule.reason))
    mapping = universe.get(Kind.MAPPING, spec.mapping)
    if mapping is None:
        return
    names = PAYLOAD | set(mapping.let) | {mapping.object}
    yield from _steps(spec, names)
    yield from _undos(spec, PAYLOAD | {mapping.object, "steps"})
    yield from _policies(spec, names, universe)
    yield from _reconcile(spec.reconcile, mapping.object)


def _steps(spec: Any, names: frozenset[str]) -> Iterator[Reading]:
    for index, step in enumerate(spec.steps):
        path: PathParts = ("steps", index)
        yield from _given(names, ((*path, "when"), step.when), ((*path, "reference"), step.reference), looks_up=True)
        yield from _given(names | {"steps"}, *leaves(step.document, (*path, "document")), looks_up=True)


def _undos(spec: Any, names: frozenset[str]) -> Iterator[Reading]:
    """Payload and canonical object as they were written, and answers: nothing is looked up anew when a run is taken back."""
    for index, step in enumerate(spec.steps):
        if step.undo:
            path: PathParts = ("steps", index, "undo")
            yield from _given(names, ((*path, "when"), step.undo.when), ((*path, "reference"), step.undo.reference))
            yield from _given(names, *leaves(step.undo.document, (*path, "document")))


def _policies(spec: Any, names: frozenset[str], universe: Universe) -> Iterator[Reading]:
    """A policy reads the let-names of each flow that it judges for."""
    for index, name in enumerate(spec.policies):
        policy = universe.get(Kind.POLICY, name)
        for reading in _rules(policy, names) if policy else ():
            yield Reading(("policies", index), reading.source, names)


def _reconcile(rule: Any, canonical: str) -> Iterator[Reading]:
    if rule is None:
        return
    base: PathParts = ("reconcile",)
    ours, theirs = frozenset({canonical}), frozenset({"item"})
    yield from _given(ours, ((*base, "ours"), rule.ours))
    yield from _given(
        theirs, *(((*base, field), getattr(rule, field)) for field in ("key", "only", "amount", "currency"))
    )
    for index, field in enumerate(rule.fields):
        path: PathParts = (*base, "fields", index)
        yield from _given(ours, ((*path, "ours"), field.ours))
        yield from _given(theirs, ((*path, "theirs"), field.theirs))


def _route(spec: Any, universe: Universe) -> Iterator[Reading]:
    for index, rule in enumerate(spec.rules):
        yield from _given(frozenset({"failure"}), (("rules", index, "when"), rule.when))


def _system(spec: Any, universe: Universe) -> Iterator[Reading]:
    for name, operation in spec.operations.items():
        path: PathParts = ("operations", name)
        yield from _operation(operation, path)
        yield from _find(operation.find, (*path, "find"))
        yield from _errors(operation.errors, (*path, "errors"))
    yield from _errors(spec.errors, ("errors",))
    if spec.webhook:
        fields = ("type", "event_id", "occurred_at", "sequence", "payload")
        yield from _given(
            frozenset({"body", "headers"}), *((("webhook", field), getattr(spec.webhook, field)) for field in fields)
        )


def _operation(operation: Any, path: PathParts) -> Iterator[Reading]:
    yield from _given(WINDOW if operation.items else SENT, ((*path, "body"), operation.body))
    fields = ("external_id", "document", "items")
    yield from _given(ANSWER | {"document"}, *(((*path, field), getattr(operation, field)) for field in fields))
    yield from _given(ANSWER, ((*path, "paging", "next"), operation.paging.next))


def _find(find: Any, path: PathParts) -> Iterator[Reading]:
    if find:
        yield from _given(frozenset({"reference"}), ((*path, "body"), find.body))
        yield from _given(ANSWER | {"reference"}, ((*path, "items"), find.items))
        yield from _given(
            frozenset({"item", "reference"}), ((*path, "match"), find.match), ((*path, "external_id"), find.external_id)
        )


def _errors(rules: Any, path: PathParts) -> Iterator[Reading]:
    for index, rule in enumerate(rules):
        yield from _given(ANSWER, ((*path, index, "when"), rule.when), ((*path, index, "message"), rule.message))


READINGS = {
    Kind.CONTRACT: _contract,
    Kind.MAPPING: _mapping,
    Kind.POLICY: _policy,
    Kind.FLOW: _flow,
    Kind.ROUTE: _route,
    Kind.SYSTEM: _system,
}
