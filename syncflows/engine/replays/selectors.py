"""Replays as pages, API and files read them. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, QuerySet

from meshline.kernel import jsontext
from meshline.kernel.errors import Missing
from syncflows.engine.models import ReplayItem, ReplayJob
from syncflows.engine.replays.enums import ReplayOutcome, ReplayVerdict

CSV_HEADER = (
    "run", "flow", "key", "customer", "amount", "currency", "verdict", "why", "class", "reason", "newer run", "differing fields", "outcome", "what became of it",
    "run's status", "in the target",
)  # fmt: skip


def jobs() -> QuerySet[ReplayJob]:
    return ReplayJob.objects.select_related("asked_by")


def items(job: ReplayJob, *, verdict: str = "", outcome: str = "") -> QuerySet[ReplayItem]:
    """In their order, with their runs."""
    found = ReplayItem.objects.filter(job=job).select_related("run").order_by("pk")
    found = found.filter(verdict=verdict) if verdict in ReplayVerdict.values else found
    return found.filter(outcome=outcome) if outcome in ReplayOutcome.values else found


def item(job: ReplayJob, run_public_id: str) -> ReplayItem:
    """Raises Missing."""
    found = items(job).select_related("run__event").filter(run__public_id=run_public_id).first()
    if found is None:
        raise Missing(f"{run_public_id} is not part of {job.public_id}.")
    return found


def counts(job: ReplayJob) -> dict[str, dict[str, int]]:
    """{verdicts, outcomes}: how many of each; two queries. `""` are those that have no verdict yet."""
    rows = ReplayItem.objects.filter(job=job).order_by()
    verdicts = dict(rows.values_list("verdict").annotate(n=Count("pk")))
    return {"verdicts": verdicts, "outcomes": dict(rows.values_list("outcome").annotate(n=Count("pk")))}


def cells(job: ReplayJob) -> Iterator[tuple[Any, ...]]:
    """A line a record, for CSV."""
    for one in items(job).defer("canonical", "run__payload", "run__canonical").iterator(chunk_size=500):
        run, detail = one.run, one.detail
        yield (
            run.public_id, run.flow, run.canonical_key, run.customer, run.amount, run.currency, one.get_verdict_display() if one.verdict else "", one.verdict_reason,
            detail.get("class", ""), detail.get("reason", ""), detail.get("newer_run", ""), differences_in_words(one), one.get_outcome_display(), one.outcome_reason,
            run.get_status_display(), run.outcome,
        )  # fmt: skip


def differences_in_words(one: ReplayItem) -> str:
    """`order.total: 100.00 instead of 90.00; …`, of fields that the target shows."""
    return "; ".join(
        f"{step['name']} {row['path']}: {_plain(row['ours'])} instead of {_plain(row['theirs'])}"
        for step in one.steps
        for row in step.get("difference", [])
        if row["kind"] == "changed"
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value)
