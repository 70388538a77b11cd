"""A flow's definition in words: its trigger, its steps as a chain, its rules as sentences. Pure: reads definitions, no rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syncflows.enums import Verdict
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.base import minutes

# What protects against doing a write twice, best first.
GUARDS = {
    "idempotency_key": "The system takes our idempotency key: the same call twice is one write.",
    "upsert_by_external_id": "The system updates by our reference: a second call finds the first one's document.",
    "unique_reference": "The system refuses a second document with our reference.",
    "lookup": "We look our reference up before anything is sent a second time.",
    "none": "Nothing on the system's side: an unanswered write is never repeated without a person.",
}
VERDICTS = {
    Verdict.NEEDS_APPROVAL: "it waits for an approval",
    Verdict.HOLD: "it is held until a person accepts it",
    Verdict.REFUSE: "it is refused and becomes a ticket",
}


@dataclass(frozen=True)
class Rule:
    """One policy rule as a sentence, with its expressions."""

    policy: Versioned
    name: str
    when: str
    then: str
    message: str
    remedy: str
    inputs: dict[str, str]


@dataclass(frozen=True)
class StepWords:
    name: str
    system: str
    operation: str
    when: str
    reference: str
    guard: str
    document: Any


def trigger(flow: Versioned, found: Catalog) -> str:
    """`deal.won or deal.lost from crm`."""
    contract = found.by_kind.get(Kind.CONTRACT, {}).get(flow.spec.trigger.contract)
    if contract is None:
        return f"contract {flow.spec.trigger.contract}, which is not in force"
    return f"{' or '.join(contract.spec.types)} from {contract.spec.system}"


def steps(flow: Versioned, found: Catalog) -> list[StepWords]:
    return [
        StepWords(
            step.name, step.system, step.operation, step.when or "", step.reference, _guard(step, found), step.document
        )
        for step in flow.spec.steps
    ]


def rules(policy: Versioned) -> list[Rule]:
    return [
        Rule(policy, rule.name, rule.when, _then(rule), rule.message, rule.remedy, dict(rule.inputs))
        for rule in policy.spec.rules
    ]


def span(duration: str) -> str:
    """`30m` as `30 minutes`."""
    number, unit = minutes(duration), "minute"
    for size, name in ((1440, "day"), (60, "hour")):
        if number % size == 0:
            number, unit = number // size, name
            break
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _then(rule: Any) -> str:
    words = VERDICTS[Verdict(rule.verdict)]
    if rule.verdict != Verdict.NEEDS_APPROVAL:
        return words
    return f"{words} by the team {rule.approvers} within {span(rule.decide_within)}"


def _guard(step: Any, found: Catalog) -> str:
    system = found.by_kind.get(Kind.SYSTEM, {}).get(step.system)
    operation = system.spec.operations.get(step.operation) if system else None
    return GUARDS[operation.guard] if operation else ""
