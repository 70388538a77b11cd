"""What no single document shows: references between definitions that lead nowhere, and definitions that do not fit each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from syncflows.governance import safety, scopes, undoing
from syncflows.governance.enums import Kind
from syncflows.governance.problems import PathParts, suggestion
from syncflows.governance.universe import Finding, Subject, Universe

UPDATE = "update"
SOFT = "soft"


def check(universe: Universe) -> list[Finding]:
    """Everything wrong between the definitions of the universe."""
    found: list[Finding] = []
    for subject in universe.subjects.values():
        found += CHECKS.get(subject.kind, _nothing)(subject, universe)
        found += scopes.check(subject, universe)
    return found


def _nothing(subject: Subject, universe: Universe) -> Iterator[Finding]:
    yield from ()


def _refer(subject: Subject, universe: Universe, kind: Kind, name: str | None, path: PathParts) -> Iterator[Finding]:
    """A finding unless `name` is empty or exists."""
    known = universe.names(kind)
    if name and name not in known:
        yield Finding(
            subject,
            ("spec", *path),
            f"there is no {kind} `{name}`.",
            suggestion(name, known, kind=f"{kind} definitions"),
        )


def _system(subject: Subject, universe: Universe) -> Iterator[Finding]:
    yield from safety.check(subject)


def _contract(subject: Subject, universe: Universe) -> Iterator[Finding]:
    spec = subject.spec
    yield from _refer(subject, universe, Kind.SYSTEM, spec.system, ("system",))
    for other in universe.all(Kind.CONTRACT):
        shared = set(spec.types) & set(other.spec.types)
        if other.name < subject.name and other.spec.system == spec.system and shared:
            named = ", ".join(sorted(shared))
            yield Finding(
                subject,
                ("spec", "types"),
                f"Contract `{other.name}` reads {named} of `{spec.system}` already.",
                "A type has one contract: remove it here or there.",
            )


def _mapping(subject: Subject, universe: Universe) -> Iterator[Finding]:
    spec = subject.spec
    yield from _refer(subject, universe, Kind.CONTRACT, spec.contract, ("contract",))
    for system in spec.identifiers:
        yield from _refer(subject, universe, Kind.SYSTEM, system, ("identifiers", system))


def _policy(subject: Subject, universe: Universe) -> Iterator[Finding]:
    for index, rule in enumerate(subject.spec.rules):
        yield from _refer(subject, universe, Kind.TEAM, rule.approvers, ("rules", index, "approvers"))


def _flow(subject: Subject, universe: Universe) -> Iterator[Finding]:
    spec = subject.spec
    yield from _refer(subject, universe, Kind.CONTRACT, spec.trigger.contract, ("trigger", "contract"))
    yield from _refer(subject, universe, Kind.MAPPING, spec.mapping, ("mapping",))
    mapping = universe.get(Kind.MAPPING, spec.mapping)
    if mapping and mapping.contract != spec.trigger.contract:
        message = f"mapping `{spec.mapping}` reads contract `{mapping.contract}`, and the trigger is contract `{spec.trigger.contract}`."
        yield Finding(subject, ("spec", "mapping"), message, "Trigger and mapping must name the same contract.")
    for index, name in enumerate(spec.policies):
        yield from _refer(subject, universe, Kind.POLICY, name, ("policies", index))
        yield from _policy_fits(subject, universe.get(Kind.POLICY, name), mapping, index)
    yield from _steps(subject, universe)
    yield from undoing.check(subject, universe)
    yield from _reconcile(subject, universe)
    yield from _promotion(subject, universe)
    if subject.name not in {owners.spec.flow for owners in universe.all(Kind.OWNERS)}:
        yield Finding(
            subject,
            ("metadata", "name"),
            "nobody owns this flow, so its tickets go to triage.",
            "Add an Owners definition with `flow: " + subject.name + "`.",
            True,
        )


def _policy_fits(subject: Subject, policy: Any, mapping: Any, index: int) -> Iterator[Finding]:
    if policy and mapping and policy.object != mapping.object:
        message = f"the policy is about `{policy.object}`, and the mapping makes `{mapping.object}`."
        yield Finding(
            subject, ("spec", "policies", index), message, "A flow's policies judge the object its mapping makes."
        )


def _steps(subject: Subject, universe: Universe) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, step in enumerate(subject.spec.steps):
        path: PathParts = ("steps", index)
        if step.name in seen:
            yield Finding(
                subject,
                ("spec", *path, "name"),
                f"two steps are called `{step.name}`.",
                "Give each its own name; they are told apart by it.",
            )
        seen.add(step.name)
        yield from _refer(subject, universe, Kind.SYSTEM, step.system, (*path, "system"))
        yield from _operation(
            subject, universe, step.system, step.operation, (*path, "operation"), wanted=safety.is_write, what="writes"
        )
        yield from _look_first(subject, universe, step, ("spec", *path, "look_first"))
        if step.on_change == UPDATE:
            yield from _operation(
                subject, universe, step.system, step.update, (*path, "update"), wanted=safety.is_write, what="writes"
            )


def _look_first(subject: Subject, universe: Universe, step: Any, path: PathParts) -> Iterator[Finding]:
    system = universe.get(Kind.SYSTEM, step.system)
    operation = system.operations.get(step.operation) if system else None
    if step.look_first and operation and operation.find is None:
        message = f"operation `{step.operation}` of System `{step.system}` has no `find`, so nothing can be looked up."
        yield Finding(subject, path, message, "Give the operation a `find`, or remove look_first.")


def _promotion(subject: Subject, universe: Universe) -> Iterator[Finding]:
    """Gates of staged documents."""
    spec = subject.spec
    if spec.promotion is None:
        return
    path: PathParts = ("promotion",)
    if spec.promotion.approved:
        yield from _refer(subject, universe, Kind.TEAM, spec.promotion.approved.team, (*path, "approved", "team"))
    if spec.promotion.reconciled and spec.reconcile is None:
        message = "the gate `reconciled` compares by the flow's `reconcile` rule, and there is none."
        yield Finding(subject, ("spec", *path, "reconciled"), message, "Add spec.reconcile, or remove the gate.")
    if SOFT not in (spec.commit, *(step.commit for step in spec.steps)) and not spec.promotion.imports:
        message = "nothing of this flow is staged, so its gates promote nothing."
        yield Finding(subject, ("spec", *path), message, "Add `commit: soft`, or remove `promotion`.", True)


def _reconcile(subject: Subject, universe: Universe) -> Iterator[Finding]:
    rule = subject.spec.reconcile
    if rule:
        yield from _refer(subject, universe, Kind.SYSTEM, rule.system, ("reconcile", "system"))
        path: PathParts = ("reconcile", "operation")
        yield from _operation(
            subject,
            universe,
            rule.system,
            rule.operation,
            path,
            wanted=lambda operation: operation.items is not None,
            what="lists, with `items`",
        )


def _operation(
    subject: Subject,
    universe: Universe,
    system: str,
    name: str,
    path: PathParts,
    *,
    wanted: Callable[[Any], bool],
    what: str,
) -> Iterator[Finding]:
    """A finding unless the system has that operation and it is of the kind wanted."""
    spec = universe.get(Kind.SYSTEM, system)
    if spec is None or spec.connector != safety.HTTP:
        return
    if name not in spec.operations:
        yield Finding(
            subject,
            ("spec", *path),
            f"System `{system}` has no operation `{name}`.",
            suggestion(name, spec.operations, kind="Its operations"),
        )
    elif not wanted(spec.operations[name]):
        fitting = [other for other, operation in spec.operations.items() if wanted(operation)]
        message = f"operation `{name}` of System `{system}` is not one that {what}."
        yield Finding(subject, ("spec", *path), message, suggestion(name, fitting, kind=f"Operations that {what}"))


def _route(subject: Subject, universe: Universe) -> Iterator[Finding]:
    for index, rule in enumerate(subject.spec.rules):
        path: PathParts = ("rules", index)
        yield from _refer(subject, universe, Kind.TEAM, rule.queue, (*path, "queue"))
        owner, _, person = rule.owner.partition(":")
        if person:
            yield from _refer(subject, universe, Kind.PERSON, person, (*path, "owner"))


def _crosswalk(subject: Subject, universe: Universe) -> Iterator[Finding]:
    spec = subject.spec
    yield from _refer(subject, universe, Kind.SYSTEM, spec.system, ("system",))
    objects = {mapping.spec.object for mapping in universe.all(Kind.MAPPING)}
    if spec.entity not in objects:
        yield Finding(
            subject,
            ("spec", "entity"),
            f"no mapping makes a `{spec.entity}`.",
            suggestion(spec.entity, objects, kind="Objects"),
        )


def _team(subject: Subject, universe: Universe) -> Iterator[Finding]:
    for index, name in enumerate(subject.spec.members):
        yield from _refer(subject, universe, Kind.PERSON, name, ("members", index))
    yield from _refer(subject, universe, Kind.PERSON, subject.spec.on_call, ("on_call",))


def _owners(subject: Subject, universe: Universe) -> Iterator[Finding]:
    spec = subject.spec
    yield from _refer(subject, universe, Kind.FLOW, spec.flow, ("flow",))
    for role in ("sync_owner", "source_owner", "sink_owner", "platform_owner"):
        cell = getattr(spec, role)
        for field, kind in (("person", Kind.PERSON), ("team", Kind.TEAM), ("fallback", Kind.PERSON)):
            yield from _refer(subject, universe, kind, getattr(cell, field), (role, field))
        if not cell.fallback:
            message = f"the {role.replace('_', ' ')} of `{spec.flow}` has no fallback."
            yield Finding(
                subject,
                ("spec", role),
                message,
                "Name a person in `fallback`, for the days when the owner is away.",
                True,
            )
    for other in universe.all(Kind.OWNERS):
        if other.name < subject.name and other.spec.flow == spec.flow:
            yield Finding(
                subject,
                ("spec", "flow"),
                f"Owners `{other.name}` names the owners of `{spec.flow}` already.",
                "A flow has one Owners definition: remove one.",
            )


def _retention(subject: Subject, universe: Universe) -> Iterator[Finding]:
    for other in universe.all(Kind.RETENTION):
        if other.name < subject.name and other.spec.of == subject.spec.of:
            yield Finding(
                subject,
                ("spec", "of"),
                f"Retention `{other.name}` says already how long {subject.spec.of} are kept.",
                "There is one: remove it here or there.",
            )


CHECKS: dict[Kind, Callable[[Subject, Universe], Iterator[Finding]]] = {
    Kind.SYSTEM: _system,
    Kind.CONTRACT: _contract,
    Kind.MAPPING: _mapping,
    Kind.POLICY: _policy,
    Kind.FLOW: _flow,
    Kind.ROUTE: _route,
    Kind.CROSSWALK: _crosswalk,
    Kind.TEAM: _team,
    Kind.OWNERS: _owners,
    Kind.RETENTION: _retention,
}
