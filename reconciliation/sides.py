"""Both sides of a discrepancy put side by side for people. Reads no rows of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from exceptions.enums import EntryKind
from exceptions.models import TicketEntry
from meshline.kernel.templatetags.meshline import when
from reconciliation.enums import DiscrepancyStatus
from reconciliation.models import Discrepancy

STATES = {
    EntryKind.RESOLVED: "done",
    EntryKind.OPENED: "failed",
    EntryKind.RECURRED: "failed",
    EntryKind.ESCALATED: "waiting",
}


def field_rows(found: Discrepancy) -> list[dict[str, Any]]:
    """For `partials/diff.html`: every compared field; of a duplicate, one row per document there."""
    differing = {item["name"]: item for item in found.fields}
    ours = (found.ours or {}).get("fields", {})
    items = found.theirs or [{"id": "", "fields": {}}]
    names = list(dict.fromkeys([*ours, *(name for item in items for name in item["fields"])]))
    rows = []
    for name in names:
        for item in items:
            here, there = ours.get(name), item["fields"].get(name)
            tolerance = differing.get(name, {}).get("tolerance")
            changed = found.ours is None or not found.theirs or (name in differing and here != there)
            label = f"{name} ({item['id']})" if len(items) > 1 else name
            rows.append(
                {
                    "field": label,
                    "before": here,
                    "after": there,
                    "changed": changed,
                    "note": f"tolerance {tolerance}" if changed and tolerance else "",
                }
            )
    return rows


def documents(found: Discrepancy) -> list[dict[str, Any]]:
    """Both sides' documents as they were read, ours first. One that agreed was not kept."""
    ours = (
        [{"title": f"Our record {found.ours.get('record', '')}".strip(), "document": found.ours.get("document")}]
        if found.ours
        else []
    )
    theirs = [{"title": f"{item['id']} in {found.system}", "document": item["document"]} for item in found.theirs or ()]
    return [item for item in [*ours, *theirs] if item["document"]]


def facts(found: Discrepancy) -> list[tuple[str, Any]]:
    """For `partials/key_values.html`."""
    ours = found.ours or {}
    shown = [
        ("Reference", found.key),
        ("Flow", found.flow),
        ("System", found.system),
        ("Their number", ", ".join(item["id"] for item in found.theirs or ())),
        ("Business date", ours.get("business_date")),
        ("First found", _run_link(found.first_seen.public_id)),
        ("Last found", _run_link(found.last_seen.public_id)),
        ("Opened", when(found.opened_at)),
    ]
    if found.status == DiscrepancyStatus.RESOLVED:
        shown += [("Resolved", when(found.resolved_at)), ("Why", found.resolution_note)]
    return shown


def timeline(entries: Iterable[TicketEntry]) -> list[dict[str, Any]]:
    """For `partials/timeline.html`."""
    return [
        {
            "at": entry.at,
            "title": entry.text,
            "detail": f"{entry.get_kind_display()} · {entry.actor}",
            "state": STATES.get(EntryKind(entry.kind), "done"),
        }
        for entry in entries
    ]


def _run_link(public_id: str) -> Any:
    try:
        return format_html('<a href="{}">{}</a>', reverse("reconciliation-run", args=[public_id]), public_id)
    except NoReverseMatch:
        return public_id
