"""What the overview shows, in one place: the same numbers for the page and for its live parts."""

from __future__ import annotations

from typing import Any

from meshline.console import addresses, kpis
from ownership import gaps
from ownership.models import System
from syncflows.engine import figures
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

ORDER = "order"


def flow_names(found: Catalog) -> list[str]:
    return [flow.name for flow in found.all(Kind.FLOW)]


def order_flows(found: Catalog) -> list[str]:
    """The flows whose mapping makes orders."""
    mappings = {name: item.spec.object for name, item in found.by_kind.get(Kind.MAPPING, {}).items()}
    return [flow.name for flow in found.all(Kind.FLOW) if mappings.get(flow.spec.mapping) == ORDER]


def now() -> dict[str, Any]:
    """The part that is renewed every few seconds. Fourteen queries, whatever the number of rows."""
    found = catalog.current()
    names, day, week = flow_names(found), figures.since(figures.DAY), figures.since(figures.WEEK)
    waiting, late = kpis.approvals_waiting()
    backlog, at_risk = kpis.backlog(), kpis.at_risk()
    return {
        "has_flows": bool(names), "today": figures.delivered(day, flows=order_flows(found)), "week": figures.delivered(week, flows=order_flows(found)),
        "unfinished": figures.unfinished(), "backlog": backlog, "open_tickets": sum(item.count for item in backlog),
        "overdue": sum(item.overdue for item in backlog), "queue_url": addresses.of("queue", view="open"),
        "overdue_url": addresses.of("queue", view="open", overdue="true"), "at_risk": at_risk, "at_risk_count": sum(number for _, _, number, _ in at_risk), "approvals": waiting, "approvals_late": late,
        "approvals_url": addresses.of("approvals", view="open"), "systems": list(System.objects.order_by("title")),
        "latencies": figures.latencies(day), "imported_why": figures.IMPORTED_WHY, "autonomy": figures.autonomy(week), "reconciliations": kpis.last_reconciliations(names),
        "gaps": len(gaps.find(names)), "latest": kpis.latest(), "flow_count": len(names),
    }  # fmt: skip
