"""Policy verdicts: each rule asked, its inputs kept, a person's decision honoured only for exactly what was decided. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from meshline.kernel import fingerprint
from meshline.kernel.expressions import Scope, compiled
from syncflows.engine import failures
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.soft import marks
from syncflows.enums import HoldReason, Verdict
from syncflows.governance.catalog import Versioned
from syncflows.governance.schemas.base import minutes
from syncflows.governance.schemas.flows import PolicyRule
from syncflows.hooks import ApprovalAsked

REMEDIES = {
    Verdict.NEEDS_APPROVAL: "The approvers decide; the order goes on or is closed with their reason.",
    Verdict.HOLD: "Accept it with a reason, correct the payload, or close it.",
    Verdict.REFUSE: "This cannot be accepted as it is. Correct it at the source or fix the payload and replay.",
}


def judge(carry: Carry) -> Rest | None:
    """Ask every rule of the flow's policies. None when the record may go on; else where it rests, bound to what must be decided."""
    assert carry.scope is not None
    for policy in carry.policies:
        for rule in policy.spec.rules:
            rest = _ask(carry, policy, rule, carry.scope)
            if rest is not None:
                return rest
    return None


def bound_fields(rule: PolicyRule, scope: Scope, document: dict[str, Any]) -> dict[str, Any]:
    """What a decision on this rule is bound to."""
    return {name: compiled(source).evaluate(scope) for name, source in rule.binds.items()} or document


def binding(policy: Versioned, rule: PolicyRule, bound: dict[str, Any]) -> str:
    """The fingerprint of a decision: policy, its version, rule, and the fields decided on."""
    return fingerprint.of([policy.name, policy.number, rule.name, bound])


def _ask(carry: Carry, policy: Versioned, rule: PolicyRule, scope: Scope) -> Rest | None:
    inputs = {name: compiled(source).evaluate(scope) for name, source in rule.inputs.items()}
    if not compiled(rule.when).evaluate(scope):
        carry.say(
            FactKind.POLICY,
            f"{policy.name}/{rule.name}: allowed",
            policy=policy.label,
            rule=rule.name,
            verdict=Verdict.ALLOW,
            inputs=inputs,
        )
        return None
    message = str(compiled(rule.message).evaluate(scope))
    bound = bound_fields(rule, scope, carry.document)
    print_of = binding(policy, rule, bound)
    detail = {"policy": policy.label, "rule": rule.name, "when": rule.when, "inputs": inputs, "fingerprint": print_of}
    cleared = next((found for found in carry.run.clearances if found.get("fingerprint") == print_of), None)
    if cleared and rule.verdict != Verdict.REFUSE:
        carry.say(
            FactKind.POLICY,
            f"{policy.name}/{rule.name}: {message}; cleared by {cleared.get('by')}",
            verdict=Verdict.ALLOW,
            clearance=cleared,
            **detail,
        )
        return None
    if _asked_later(carry, policy, rule, message, detail):
        return None
    verdict = {
        "policy": policy.name,
        "version": policy.number,
        "rule": rule.name,
        "fingerprint": print_of,
        "inputs": inputs,
        "bound": bound,
    }
    return _rest(carry, policy, rule, message, verdict)


def _asked_later(carry: Carry, policy: Versioned, rule: PolicyRule, message: str, detail: dict[str, Any]) -> bool:
    """Say what the rule finds. Whether people are asked only later: of imported history, when it is promoted."""
    later = rule.verdict != Verdict.REFUSE and marks.is_import(carry.run)
    note = "; a staged import is asked about this only when it is promoted" if later else ""
    carry.say(FactKind.POLICY, f"{policy.name}/{rule.name}: {message}{note}", verdict=rule.verdict, **detail)
    return later


def _rest(carry: Carry, policy: Versioned, rule: PolicyRule, message: str, verdict: dict[str, Any]) -> Rest:
    failure = failures.of(
        carry, rule.exception_class, rule.reason, message, remedy=rule.remedy or REMEDIES[Verdict(rule.verdict)], step="policy", verdict=verdict,
        decision=rule.verdict, approval=_approval(carry, policy, rule, verdict) if rule.verdict == Verdict.NEEDS_APPROVAL else None,
    )  # fmt: skip
    if rule.verdict == Verdict.REFUSE:
        return Rest(RunStatus.FAILED, message, failure=failure)
    hold = HoldReason.APPROVAL if rule.verdict == Verdict.NEEDS_APPROVAL else HoldReason.ACCEPTANCE
    return Rest(RunStatus.HELD, message, hold_reason=hold, failure=failure)


def _approval(carry: Carry, policy: Versioned, rule: PolicyRule, verdict: dict[str, Any]) -> ApprovalAsked:
    return ApprovalAsked(
        policy=policy.name, policy_version=policy.number, rule=rule.name, fingerprint=verdict["fingerprint"], bound=verdict["bound"],
        approver_team=rule.approvers or "", requester=carry.requester, due_at=timezone.now() + timedelta(minutes=minutes(rule.decide_within)),
    )  # fmt: skip
