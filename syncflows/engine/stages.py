"""The pure stages of a run: contract, ignore rules, order, canonical object, policies, plan. They decide; `engine.batch` writes."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from meshline.kernel import money
from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import EvaluationFailed, Scope, compiled
from syncflows.engine import contracts, failures, plans, policies, templates
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.crosswalk import Lookups, Unresolved
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import Run
from syncflows.engine.ordering import place
from syncflows.enums import ExceptionClass, HoldReason
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS

FIX = "Correct it at the source and send it again, or fix the payload here and replay."


def prepare(carry: Carry, *, newest: Run | None, lookups: Lookups) -> None:
    """Carry a run through the stages. Sets `carry.rest` where it comes to rest, else `carry.steps` to what is to be done. Never raises."""
    try:
        carry.rest = _stages(carry, newest, lookups)
    except Unresolved as error:
        carry.rest = wait_for(carry, error)
    except MeshlineError as error:
        carry.rest = _rest_of_error(carry, error)
    except Exception as error:  # noqa: BLE001 - the boundary: a defect becomes a ticket, never a lost run
        carry.rest = Rest(
            RunStatus.ERRORED, str(error), failure=failures.errored(carry, error=error, trace=traceback.format_exc())
        )


def wait_for(carry: Carry, error: Unresolved) -> Rest:
    """Held until the record arrives that would answer."""
    failure = failures.unresolved(carry, entity=error.entity, value=str(error.context["value"]), message=error.message)
    carry.say(FactKind.IDENTITY, error.message, **error.context)
    return Rest(
        RunStatus.HELD, error.message, hold_reason=HoldReason.DEPENDENCY, waits_for=error.waits_for, failure=failure
    )


def _stages(carry: Carry, newest: Run | None, lookups: Lookups) -> Rest | None:
    if carry.broken:
        raise carry.broken
    rest = _contract(carry, lookups) or _order(carry, newest) or _ignored(carry)
    if rest is None:
        _canonical(carry, lookups)
        rest = policies.judge(carry)
    if rest is None:
        plans.make(carry)
    return rest


def _contract(carry: Carry, lookups: Lookups) -> Rest | None:
    contract = carry.contract
    given = carry.run.current_payload
    carry.payload = contracts.read(contract, given if isinstance(given, dict) else {})
    carry.names["payload"] = carry.payload
    carry.scope = _scope(carry, lookups)
    found = contracts.violations(contract, carry.payload)
    label = f"{contract.name} {contract.spec.version}"
    if not found:
        carry.say(
            FactKind.CONTRACT,
            f"Holds contract {label}",
            contract=contract.name,
            version=contract.spec.version,
            definition=contract.number,
        )
        return None
    message = f"{found[0]}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")
    listed = [{"path": item.path, "message": item.message} for item in found]
    carry.say(
        FactKind.CONTRACT,
        f"Breaks contract {label}: {message}",
        contract=contract.name,
        version=contract.spec.version,
        definition=contract.number,
        violations=listed,
    )
    failure = failures.of(
        carry,
        ExceptionClass.DATA_QUALITY,
        "contract_violation",
        f"Breaks contract {label}: {message}",
        remedy=FIX,
        step="contract",
        violations=listed,
    )
    return Rest(RunStatus.FAILED, failure.message, failure=failure)


def _order(carry: Carry, newest: Run | None) -> Rest | None:
    if newest is not None and place(newest) > place(carry.run):
        reason = f"{newest.public_id} carried a newer event of {carry.run.canonical_key}; this one arrived late and changes nothing"
        carry.say(
            FactKind.SUPERSEDED,
            reason,
            newer_run=newest.public_id,
            own_sequence=carry.run.sequence,
            newer_sequence=newest.sequence,
        )
        return Rest(RunStatus.SUPERSEDED, reason)
    carry.supersedes = True
    return None


def _ignored(carry: Carry) -> Rest | None:
    assert carry.scope is not None
    for rule in carry.flow.spec.trigger.ignore:
        if compiled(rule.when).evaluate(carry.scope):
            reason = str(compiled(rule.reason).evaluate(carry.scope))
            carry.say(FactKind.IGNORED, f"Nothing to do: {reason}", when=rule.when, flow=carry.flow.label)
            return Rest(RunStatus.IGNORED, reason)
    return None


def _scope(carry: Carry, lookups: Lookups) -> Scope:
    """What every expression of the run reads: the payload, and what the later stages add to it."""
    system = carry.contract.spec.system
    functions: dict[str, Callable[..., Any]] = {
        "lookup": lambda entity, value: lookups.lookup(system, entity, value),
        "delivered": lambda entity, value, target: lookups.delivered(system, entity, value, target),
    }
    return Scope(carry.names, functions=functions)


def _canonical(carry: Carry, lookups: Lookups) -> None:
    spec, scope = carry.mapping.spec, carry.scope
    assert scope is not None
    lookups.used.clear()
    for name, source in spec.let.items():
        carry.names[name] = compiled(source, extra=ENGINE_FUNCTIONS).evaluate(scope)
        scope.put(name, carry.names[name])
    carry.names[spec.object] = templates.evaluate(spec.fields, scope)
    scope.put(spec.object, carry.names[spec.object])
    _headline(carry, scope)
    if lookups.used:
        listed = list(lookups.used)
        carry.say(
            FactKind.IDENTITY,
            "; ".join(f"{used['entity']} {used['value']!r} is {used['key']} ({used['how']})" for used in listed),
            resolved=listed,
        )
    said = f"Canonical {spec.object} {carry.run.canonical_key}"
    if carry.run.amount is not None and carry.run.currency:
        said += f", {money.Money(carry.run.amount, carry.run.currency)}"
    carry.say(FactKind.CANONICAL, said, mapping=carry.mapping.label, document=carry.names[spec.object])


def _headline(carry: Carry, scope: Scope) -> None:
    """Amount, currency, customer, date: what lists, tickets and reconciliation show of the record."""
    run, spec = carry.run, carry.mapping.spec
    currency = _text(spec.currency, scope)
    run.currency = money.check_currency(currency) if currency else ""
    run.amount = _amount(spec.amount, scope)
    run.customer = _text(spec.customer, scope)[:200]
    run.canonical = carry.document
    carry.business_date = _text(spec.business_date, scope)[:10]
    carry.requester = _text(spec.requester, scope)[:200]
    carry.identifiers = [
        (system, str(compiled(source).evaluate(scope) or ""))
        for system, sources in spec.identifiers.items()
        for source in sources
    ]
    if run.customer:
        carry.known_as(run.customer, "customer")


def _rest_of_error(carry: Carry, error: MeshlineError) -> Rest:
    if isinstance(error, contracts.Unreadable | EvaluationFailed | money.BadAmount):
        failure = failures.of(
            carry, ExceptionClass.DATA_QUALITY, error.code, error.message, remedy=FIX, **error.context
        )
    else:
        remedy = "The flow's definition does not fit this record. The flow owner mends it, applies it and replays."
        failure = failures.of(carry, ExceptionClass.INTERNAL, error.code, error.message, remedy=remedy, **error.context)
    carry.say(FactKind.FAILED, error.message, code=error.code)
    return Rest(RunStatus.FAILED, error.message, failure=failure)


def _amount(source: str | None, scope: Scope) -> Decimal | None:
    found = compiled(source).evaluate(scope) if source else None
    return None if found is None else money.decimal(found)


def _text(source: str | None, scope: Scope) -> str:
    found: Any = compiled(source).evaluate(scope) if source else None
    return "" if found is None else str(found)
