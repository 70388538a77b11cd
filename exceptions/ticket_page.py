"""What the page of a ticket shows, beyond its own fields: what it blocks, the evidence by class, who answers, its raw context. Reads only."""

from __future__ import annotations

import json
from typing import Any

from exceptions import figures, fixing, repairs
from exceptions.enums import EntryKind, TicketStatus
from exceptions.models import Ticket, TicketEntry
from exceptions.selectors import TicketDetail
from ownership import matrix, owners
from syncflows.engine import budgets, timelines
from syncflows.engine.enums import SETTLED, TERMINAL
from syncflows.engine.models import Run, Step
from syncflows.enums import ExceptionClass
from syncflows.governance import catalog

WAITING_KINDS = (EntryKind.OPENED, EntryKind.RECURRED, EntryKind.ESCALATED)
RAW_TABS = (("payload", "Payload"), ("canonical", "Canonical"), ("failure", "Failure"), ("raw", "As it arrived"))
SHOWN_ELSEWHERE = ("payload", "canonical")
LONG_TEXT = 20_000


def evidence(detail: TicketDetail) -> dict[str, Any]:
    """What must be seen to decide; only what this ticket has."""
    ticket, context = detail.ticket, detail.ticket.context
    document = context.get("canonical") or (ticket.run.canonical if ticket.run else None)
    verdict = context.get("verdict") if isinstance(context.get("verdict"), dict) else None
    policy = ticket.exception_class == ExceptionClass.POLICY
    return {
        "verdict": verdict, "ruled": _ruled(verdict) if verdict else [],
        "given": figures.given(document) if policy else None, "lines": figures.lines(document) if policy else [],
        "steps": [_with_last(step) for step in detail.steps], "violations": _violations(context), "sides": _sides(context), "records": _records(context), "repair": repairs.plan(ticket, list(detail.steps)), "subject_rows": _subject(context),
    }  # fmt: skip


def blocked(ticket: Ticket, steps: list[Step]) -> list[str]:
    """Names of the steps that are not done while this ticket is open."""
    run = ticket.run
    if ticket.subject.startswith("event:") and ticket.status != TicketStatus.RESOLVED:
        return ["the whole record"]
    if run is None or run.status in TERMINAL or ticket.status == TicketStatus.RESOLVED:
        return []
    if steps:
        return [step.name for step in steps if step.status not in SETTLED]
    version = run.flow_version
    return [str(step.get("name", "")) for step in version.spec.get("steps", [])] if version else []


def outlook(detail: TicketDetail) -> budgets.Outlook | None:
    """What the run's retry policy allows still; None where no call of it is to be made."""
    run, step = detail.ticket.run, budgets.next_of(detail.steps)
    if run is None or step is None or run.status in TERMINAL:
        return None
    return budgets.outlook(run, step, catalog.current())


def lineage(detail: TicketDetail) -> list[timelines.Line]:
    return timelines.lines(detail.lineage, run=detail.ticket.run, steps=detail.steps)


def talk(entries: list[TicketEntry]) -> list[dict[str, Any]]:
    """The timeline of people's acts, newest last."""
    return [
        {
            "at": entry.at, "title": entry.text, "detail": f"{EntryKind(entry.kind).label} · {entry.actor}", "kind": entry.kind, "actor": entry.actor, "face": entry.actor.split(" (")[0],
            "changes": _changes(entry), "state": "waiting" if entry.kind in WAITING_KINDS else "done", "is_comment": entry.kind == EntryKind.COMMENT,
        }
        for entry in entries
    ]  # fmt: skip


def people(ticket: Ticket) -> dict[str, Any]:
    """The flow's owners, and who gets the ticket once its clock has run out. At most five queries."""
    cells = matrix.of_flows([ticket.flow])[ticket.flow] if ticket.flow else []
    last = owners.triage().person
    candidates = (owners.present(ticket.queue.on_call), last)
    escalates = next((person for person in candidates if person and person.pk != ticket.owner_id), None)
    return {"cells": cells, "escalates_to": escalates}


def raw(ticket: Ticket, name: str) -> tuple[list[dict[str, Any]], str, Any]:
    """The tabs that have something, the one shown, and its content."""
    payload, arrived = fixing.current_payload(ticket), ticket.event.raw[:LONG_TEXT] if ticket.event else ""
    canonical = ticket.context.get("canonical") or (ticket.run.canonical if ticket.run else None)
    failure = {key: value for key, value in ticket.context.items() if key not in SHOWN_ELSEWHERE}
    content = {"payload": payload, "canonical": canonical, "failure": failure or None, "raw": arrived or None}
    tabs = [(key, label) for key, label in RAW_TABS if content[key] is not None]
    shown = name if name in dict(tabs) else (tabs[0][0] if tabs else "")
    return (
        [{"label": label, "url": f"?raw={key}", "active": key == shown} for key, label in tabs],
        shown,
        content.get(shown),
    )


def token(ticket: Ticket, entries: int, facts: int, run: Run | None) -> str:
    """Changes whenever something happened to the ticket or its record."""
    return f"{ticket.status}-{entries}-{facts}-{run.status if run else ''}"


def _with_last(step: Step) -> Step:
    """The step with its last attempt, of those that were read with it."""
    step.last_attempt = next(reversed(step.attempts.all()), None)  # type: ignore[attr-defined]
    return step


def _ruled(verdict: dict[str, Any]) -> list[tuple[str, Any, bool]]:
    """(field, value, decided on): what the rule looked at, then what a decision is bound to."""
    inputs = figures.fields(verdict.get("inputs"))
    bound = figures.fields(verdict.get("bound"))
    names = {name for name, _ in inputs}
    decided = {name for name, _ in bound}
    return [(name, value, name in decided) for name, value in inputs] + [
        (name, value, True) for name, value in bound if name not in names
    ]


def _violations(context: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the payload breaks its contract, and what stands there."""
    listed = context.get("violations") or context.get("errors") or []
    found = []
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            path = str(item.get("path") or item.get("field") or "")
            found.append(
                {
                    "path": path or "(whole)",
                    "message": str(item.get("message", "")),
                    "value": _short(figures.at_path(context.get("payload"), path)),
                }
            )
    return found


def _sides(context: dict[str, Any]) -> list[dict[str, Any]]:
    """Both records, as Meshline has them and as the other system says. What the comparison found to differ is marked, whatever its names there."""
    told = [
        {"field": item.get("name"), "before": item.get("ours"), "after": item.get("theirs"), "changed": True}
        for item in context.get("fields") or []
        if isinstance(item, dict)
    ]
    names = {row["field"] for row in told}
    rest = [row for row in figures.sides(context.get("ours"), context.get("theirs")) if row["field"] not in names]
    return told + ([{**row, "changed": row["changed"] and not told} for row in rest])


def _records(context: dict[str, Any]) -> dict[str, Any] | None:
    """Documents of the target that carry the same reference, side by side: what they say alike, and where they differ."""
    found = [
        item
        for item in context.get("records") or []
        if isinstance(item, dict) and isinstance(item.get("document"), dict)
    ]
    if len(found) < 2:
        return None
    sides = [dict(figures.fields(item["document"])) for item in found]
    names = list(dict.fromkeys(name for side in sides for name in side))
    rows = [
        (name, [side.get(name) for side in sides], len({str(side.get(name)) for side in sides}) > 1) for name in names
    ]
    return {"ids": [item.get("external_id", "") for item in found], "rows": rows}


def _subject(context: dict[str, Any]) -> list[tuple[str, Any]]:
    names = ("entity", "value", "line", "origin", "system", "step", "code")
    return [(name, context[name]) for name in names if isinstance(context.get(name), str | int) and context[name] != ""]


def _changes(entry: TicketEntry) -> list[dict[str, Any]]:
    found = entry.detail.get("changes") if isinstance(entry.detail, dict) else None
    return [
        {"field": item.get("path"), "before": item.get("before"), "after": item.get("after"), "changed": True}
        for item in found or []
    ]


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:200] if value is not None else ""
