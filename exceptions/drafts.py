"""Failures made into unsaved tickets: subject, class, amount, owner, clock. Reads the directory; writes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from exceptions import assignment, clocks
from exceptions.assignment import Assigned
from exceptions.models import Ticket
from meshline.kernel import jsontext
from meshline.kernel.errors import Invalid
from syncflows.engine.models import Event, Run
from syncflows.enums import Severity
from syncflows.hooks import Failure

IMPORT_MINUTES = 7 * 24 * 60  # history waits for nobody: its one ticket has a week
UNSTORABLE = re.compile(r"\\u(0000|d[89a-f]..)")


@dataclass
class Draft:
    """One unsaved ticket, the place it was assigned to, and every failure of this batch that it stands for."""

    ticket: Ticket
    assigned: Assigned
    failures: list[Failure] = field(default_factory=list)


def make(failures: Sequence[Failure], *, subjects: Sequence[str] | None, now: datetime) -> list[Draft]:
    """One draft per subject, in the order of subjects (two transactions then lock the same rows in the same order)."""
    runs = Run.objects.in_bulk([item.run_id for item in failures if item.run_id])
    events = dict(
        Event.objects.filter(
            pk__in={item.event_id for item in failures if item.event_id and not item.run_id}
        ).values_list("pk", "public_id")
    )
    people = assignment.directory(failures)
    drafts: dict[str, Draft] = {}
    for place, told in enumerate(failures):
        failure = _of_import(told) if told.batch else told
        run = runs.get(failure.run_id) if failure.run_id else None
        subject = subjects[place] if subjects else _subject(failure, run, events)
        if subject not in drafts:
            assigned = people.assign(failure)
            drafts[subject] = Draft(_ticket(failure, subject, run, assigned, now), assigned)
        drafts[subject].failures.append(failure)
    for draft in drafts.values():
        if draft.failures[0].batch:
            draft.ticket.times_seen = len(draft.failures)
    return [drafts[subject] for subject in sorted(drafts)]


def _of_import(failure: Failure) -> Failure:
    """A failure of a staged import speaks of the import: one ticket for all of it, with no money at risk and no record of its own."""
    last = {
        "key": failure.canonical_key,
        "customer": failure.customer,
        "message": failure.message,
        "remedy": failure.remedy,
    }
    return replace(
        failure, event_id=None, run_id=None, severity=Severity.SOFT, amount=None, currency="", customer="", canonical_key="", correlation_id="", approval=None,
        message=f"Records of the staged import {failure.batch} did not pass. The last one: {failure.canonical_key or 'a row'}: {failure.message}",
        remedy=f"Look at what failed on the page of the import. {failure.remedy} Rows that passed are not taken twice.",
        context={"batch": failure.batch, "last": last},
    )  # fmt: skip


def _subject(failure: Failure, run: Run | None, events: dict[int, str]) -> str:
    if failure.batch:
        return f"batch:{failure.batch}"
    if run is not None:
        return f"run:{run.public_id}"
    if failure.event_id in events:
        return f"event:{events[failure.event_id]}"
    if failure.system and not failure.event_id and not failure.run_id:
        return f"system:{failure.system}"
    raise Invalid(
        f"A failure ({failure.reason}: {failure.message}) names no run, event or system that exists, so no ticket can speak of it.",
        code="failure_without_subject",
    )


def _ticket(failure: Failure, subject: str, run: Run | None, assigned: Assigned, now: datetime) -> Ticket:
    severity = assigned.decision.severity
    due = clocks.due_at(
        now,
        severity=severity,
        resolve_within_minutes=IMPORT_MINUTES if failure.batch else assigned.decision.resolve_within_minutes,
        triaged=assigned.triaged,
    )
    return Ticket(
        subject=subject, run=run, event_id=run.event_id if run else failure.event_id, queue=assigned.queue, owner=assigned.owner,
        owned_because=assigned.because, severity=severity, opened_at=now, last_seen_at=now, due_at=due,
        sla_minutes=clocks.minutes_between(now, due), **_told(failure, run),
    )  # fmt: skip


def _told(failure: Failure, run: Run | None) -> dict[str, Any]:
    """The failure's own fields, cut to what their columns hold: a ticket is never lost for a long name."""
    amount, currency = (
        (failure.amount, failure.currency) if failure.amount is not None or run is None else (run.amount, run.currency)
    )
    return {
        "exception_class": failure.exception_class,
        "reason": failure.reason[:60],
        "message": storable(failure.message),
        "remedy": storable(failure.remedy),
        "flow": (failure.flow or (run.flow if run else ""))[:80],
        "step": failure.step[:80],
        "system": failure.system[:80],
        "amount": amount,
        "currency": currency[:3],
        "customer": storable(failure.customer or (run.customer if run else ""))[:200],
        "canonical_key": storable(failure.canonical_key or (run.canonical_key if run else ""))[:200],
        "correlation_id": storable(failure.correlation_id or (run.correlation_id if run else ""))[:64],
        "context": storable(failure.context),
    }


def storable(value: Any) -> Any:
    """The value with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    return _clean(value) if UNSTORABLE.search(json.dumps(value, cls=jsontext.ExactEncoder)) else value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value
