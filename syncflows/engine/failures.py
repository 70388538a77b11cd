"""Failures in words: class, reason, message, remedy, and the snapshot a person needs. Pure."""

from __future__ import annotations

from typing import Any

from syncflows.engine.carry import Carry
from syncflows.engine.soft import marks
from syncflows.enums import ExceptionClass, Severity
from syncflows.hooks import ApprovalAsked, Failure

SHOWN_TEXT = 2000


def of(
    carry: Carry, exception_class: ExceptionClass, reason: str, message: str, *, remedy: str, step: str = "", system: str = "",
    severity: Severity = Severity.SOFT, approval: ApprovalAsked | None = None, **context: Any,
) -> Failure:  # fmt: skip
    """A failure of this run, with its amount, customer and a snapshot of payload and canonical object."""
    run = carry.run
    return Failure(
        exception_class=exception_class, reason=reason, message=message[:SHOWN_TEXT], remedy=remedy, event_id=run.event_id, run_id=run.pk, flow=run.flow,
        step=step, system=system, severity=severity, amount=run.amount, currency=run.currency, customer=run.customer, canonical_key=run.canonical_key,
        correlation_id=run.correlation_id, approval=approval, batch=run.batch if marks.is_import(run) else "",
        context={"payload": carry.payload or run.current_payload, "canonical": carry.document, **context},
    )  # fmt: skip


def unresolved(carry: Carry, *, entity: str, value: str, message: str) -> Failure:
    """A name nobody answers to: identity for customers, data quality for everything else."""
    if entity == "customer":
        return of(
            carry, ExceptionClass.IDENTITY, "customer_unresolved", f"{message}.", entity=entity, value=value,
            remedy=f"Load the customer, or declare {value!r} as an alias of one that exists. The order goes on by itself once it resolves.",
        )  # fmt: skip
    return of(
        carry, ExceptionClass.DATA_QUALITY, f"unknown_{entity}", f"{message}.", entity=entity, value=value,
        remedy=f"Load the {entity}, declare {value!r} as an alias in a Crosswalk, or correct the payload. The run goes on by itself once it resolves.",
    )  # fmt: skip


def errored(carry: Carry, *, step: str = "", error: BaseException, trace: str) -> Failure:
    """A defect of ours."""
    return of(
        carry, ExceptionClass.INTERNAL, "unexpected_error", f"Meshline failed unexpectedly: {type(error).__name__}: {str(error)[:300]}", step=step,
        severity=Severity.HARD, trace=trace[-8000:],
        remedy="This is a defect of Meshline, not of the record. The platform owner reads the trace, mends it and replays the run.",
    )  # fmt: skip
