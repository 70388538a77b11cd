"""Pages of flows: what each does, how it fares, who answers for it, and how its definitions changed. They only read."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from meshline.kernel.errors import Invalid
from meshline.kernel.htmx import page
from ownership import gaps, matrix
from syncflows.engine import figures, flow_words, selectors, unrouted
from syncflows.governance import catalog, versions
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

RECENT_SHOWN = 10


@login_required
@require_GET
def flows(request: HttpRequest) -> HttpResponse:
    """GET /flows/: each flow in force, with what it did in the last day."""
    found = catalog.current()
    after = figures.since(figures.DAY)
    names = [flow.name for flow in found.all(Kind.FLOW)]
    counts, owners, holes = figures.created_by_flow(after), matrix.of_flows(names), gaps.of_flows(names)
    latency = {item.flow: item for item in figures.latencies(after)}
    rows = [
        {
            "flow": flow, "words": flow_words.trigger(flow, found), "steps": flow.spec.steps, "counts": counts.get(flow.name, []),
            "rate": figures.success_rate(counts.get(flow.name, [])), "latency": latency.get(flow.name), "owner": owners[flow.name][0],
            "gaps": [gap for gap in holes if gap.flow == flow.name],
        }
        for flow in found.all(Kind.FLOW)
    ]  # fmt: skip
    return page(request, "engine/flow_list.html", {"rows": rows})


@login_required
@require_GET
def flow(request: HttpRequest, name: str) -> HttpResponse:
    """GET /flows/<name>/: raises Missing, naming the flows there are. `compare=Kind/name/number` shows what a version changed."""
    found = catalog.current()
    shown = found.get(Kind.FLOW, name)
    parts = _parts(shown, found)
    context = {
        "flow": shown, "trigger": flow_words.trigger(shown, found), "steps": flow_words.steps(shown, found), "parts": parts,
        "rules": [rule for policy in parts["policies"] for rule in flow_words.rules(policy)], "matrix": matrix.of_flows([name])[name],
        "gaps": gaps.of_flows([name]), "versions": versions.of(_names(shown, found)), "comparison": _comparison(request, shown, found),
        "runs": list(selectors.runs().filter(flow=name).order_by("-pk")[:RECENT_SHOWN]), "runs_url": f"{reverse('runs')}?flow={name}",
        "unrouted": unrouted.count(shown, found),
        **_health(name),
    }  # fmt: skip
    return page(request, "engine/flow_detail.html", context)


def _parts(shown: Versioned, found: Catalog) -> dict[str, Any]:
    by_kind = found.by_kind
    contract = by_kind.get(Kind.CONTRACT, {}).get(shown.spec.trigger.contract)
    policies = [by_kind.get(Kind.POLICY, {}).get(policy) for policy in shown.spec.policies]
    return {
        "contract": contract,
        "schema": contract.spec.schema_ if contract else None,
        "mapping": by_kind.get(Kind.MAPPING, {}).get(shown.spec.mapping),
        "policies": [policy for policy in policies if policy],
    }


def _health(name: str) -> dict[str, Any]:
    after = figures.since(figures.DAY)
    counts = figures.created_by_flow(after, flow=name).get(name, [])
    return {
        "counts": counts,
        "total": sum(item.count for item in counts),
        "all_url": figures.runs_url(flow=name, since=after),
        "rate": figures.success_rate(counts),
        "imported_why": figures.IMPORTED_WHY,
        "latency": next(iter(figures.latencies(after, flow=name)), None),
    }


def _names(shown: Versioned, found: Catalog) -> list[tuple[str, str]]:
    """The definitions that make up a flow."""
    return [
        (Kind.FLOW.value, shown.name),
        (Kind.CONTRACT.value, shown.spec.trigger.contract),
        (Kind.MAPPING.value, shown.spec.mapping),
        *((Kind.POLICY.value, policy) for policy in shown.spec.policies),
        *((Kind.OWNERS.value, owners.name) for owners in found.all(Kind.OWNERS) if owners.spec.flow == shown.name),
    ]


def _comparison(request: HttpRequest, shown: Versioned, found: Catalog) -> versions.Comparison | None:
    asked = request.GET.get("compare", "")
    if not asked:
        return None
    kind, _, rest = asked.partition("/")
    name, _, number = rest.partition("/")
    if (kind, name) not in _names(shown, found) or not (number.isascii() and number.isdigit() and len(number) < 9):
        raise Invalid(
            f"compare={asked[:100]!r} names no version of {shown.name}. Choose one from its list of versions."
        )
    return versions.compare(kind, name, int(number))
