"""Events, runs at rest, and the failures that brought them there."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from django.utils import timezone

from meshline.kernel import ids
from syncflows.engine import lineage
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Event, Run
from syncflows.enums import ExceptionClass, HoldReason
from syncflows.hooks import ApprovalAsked, Failure

FLOW = "orders-to-erp"
NAMES = ("correlation_id", "canonical_key")
_numbers = count(1)


def event(*, payload: Any = None, **values: Any) -> Event:
    number = next(_numbers)
    defaults = {
        "source": "crm", "source_event_id": f"e-{ids.new('x')}", "type": "deal.won", "correlation_id": f"{number:032x}", "canonical_key": f"deal-{number}",
        "lane": f"order:deal-{number}", "payload": {"account": "Acme", "amount": "100.00"} if payload is None else payload,
    }  # fmt: skip
    found = Event.objects.create(**{**defaults, **values})
    lineage.write([], [lineage.key(getattr(found, name), name, found.pk) for name in NAMES])
    return found


def run(*, status: str = RunStatus.FAILED, hold_reason: str = "", payload: Any = None, **values: Any) -> Run:
    """A run at rest, as the engine leaves it."""
    found = values.pop("event", None) or event(payload=payload)
    defaults = {
        "flow": FLOW, "lane": found.lane, "correlation_id": found.correlation_id, "canonical_key": found.canonical_key, "due_at": timezone.now(),
        "amount": Decimal("100.00"), "currency": "EUR", "customer": "Acme", "canonical": {"total": "100.00"},
    }  # fmt: skip
    return Run.objects.create(event=found, status=status, hold_reason=hold_reason, **{**defaults, **values})


def failure(found: Run | None = None, **values: Any) -> Failure:
    """A failure of this run: an unknown product, unless told otherwise."""
    about = {
        "event_id": found.event_id, "run_id": found.pk, "flow": found.flow, "amount": found.amount, "currency": found.currency, "customer": found.customer,
        "canonical_key": found.canonical_key, "correlation_id": found.correlation_id,
    } if found else {}  # fmt: skip
    told = {
        "exception_class": ExceptionClass.DATA_QUALITY, "reason": "unknown_product", "message": "There is no product GTX.", "remedy": "Declare an alias.",
        "context": {"payload": {"product": "GTX"}, "canonical": {"total": "100.00"}},
    }  # fmt: skip
    return Failure(**{**about, **told, **values})


def asked(
    found: Run, *, team: str, rule: str = "discount-cap", requester: str = "", fingerprint: str = "f" * 64
) -> Failure:
    """A failure that asks for an approval, as the engine's policies do."""
    bound = {"discount_pct": "15"}
    verdict = {
        "policy": "discounts",
        "version": 3,
        "rule": rule,
        "fingerprint": fingerprint,
        "inputs": {},
        "bound": bound,
    }
    approval = ApprovalAsked(
        policy="discounts",
        policy_version=3,
        rule=rule,
        fingerprint=fingerprint,
        bound=bound,
        approver_team=team,
        requester=requester,
    )
    return failure(
        found, exception_class=ExceptionClass.POLICY, reason="discount_above_cap", message="15 % discount.", remedy="Decide it.", step="policy",
        context={"verdict": verdict, "canonical": {"total": "85.00"}, "payload": {"amount": "85.00"}}, approval=approval,
    )  # fmt: skip


def held_price(found: Run) -> Failure:
    """A failure that a person may accept."""
    verdict = {
        "policy": "prices",
        "version": 2,
        "rule": "price-window",
        "fingerprint": "e" * 64,
        "inputs": {},
        "bound": {"price": "120"},
    }
    return failure(
        found, exception_class=ExceptionClass.POLICY, reason="price_above_list", message="20 % above list.", remedy="Accept it or correct it.", step="policy",
        context={"verdict": verdict, "canonical": {"total": "120.00"}, "payload": {"amount": "120.00"}},
    )  # fmt: skip


def held(reason: str = HoldReason.APPROVAL, **values: Any) -> Run:
    return run(status=RunStatus.HELD, hold_reason=reason, **values)
