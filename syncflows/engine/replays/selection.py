"""Which runs a replay is of: ids, a filter, or the rest of an earlier replay; evaluated once, when the preview begins. Reads only, but for the items it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from meshline.kernel.api.query import BadQuery, names_of
from meshline.kernel.errors import Invalid, Missing
from syncflows.engine.models import Event, ReplayItem, ReplayJob, Run
from syncflows.engine.replays.filters import ReplayFilter

IDS_MAX = 10_000
INTO_ITEMS = """
INSERT INTO engine_replayitem (job_id, run_id, verdict, verdict_reason, detail, steps, fingerprint, outcome, outcome_reason)
SELECT %s, pk, '', '', '{}', '[]', '', 'waiting', ''
"""
NEWCOMERS_COUNTED_MAX = 1_000
PUBLIC_ID = re.compile(r"^(run|evt)_[0-9a-z]{16}$")
# What a list's address carries besides filters.
NOT_FILTERS = frozenset({"cursor", "sort", "view", "page", "csrfmiddlewaretoken"})
TIMES = ("created", "received", "occurred")


def check(selection: Mapping[str, Any]) -> dict[str, Any]:
    """The selection as it is kept. Raises Invalid, Missing or BadQuery, saying which id or filter cannot be used."""
    if "ids" in selection:
        return {"ids": _checked_ids(list(selection["ids"]))}
    if "filter" in selection:
        return {"filter": _checked_filter(selection["filter"])}
    return dict(selection)


def from_query(values: Mapping[str, str]) -> dict[str, str]:
    """The filters that a list's address carries."""
    return {name: value for name, value in values.items() if value and name not in NOT_FILTERS}


def runs(selection: Mapping[str, Any]) -> QuerySet[Run]:
    """The runs that it finds now."""
    if "ids" in selection:
        ids = selection["ids"]
        return Run.objects.filter(Q(public_id__in=ids) | Q(event__public_id__in=ids))
    if "job" in selection:
        rest = ReplayItem.objects.filter(job__public_id=selection["job"], outcome__in=selection["outcomes"])
        return Run.objects.filter(pk__in=rest.values("run_id"))
    found: QuerySet[Run] = ReplayFilter(selection["filter"], queryset=Run.objects.all()).qs
    return found


def count(selection: Mapping[str, Any]) -> int:
    """How many it finds now. Raises Invalid where it is none, or more than one replay takes."""
    most = settings.MESHLINE_REPLAY_MOST
    found = runs(selection).order_by()[: most + 1].count()
    if not found:
        raise Invalid("Nothing matches: there is nothing to replay. Widen the filter.", code="nothing_selected")
    if found > most:
        raise Invalid(
            f"More than {most:,} records match, which is what one replay takes. Narrow the filter or its time.",
            code="too_many_records",
        )
    return found


def evaluate(job: ReplayJob) -> int:
    """Make the items, oldest run first, in one statement; their number. Call in a transaction. Raises as `count`."""
    count(job.selection)
    found, params = runs(job.selection).order_by("pk").values_list("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"{INTO_ITEMS} FROM ({found}) AS found(pk) ORDER BY pk", [job.pk, *params])
        return int(cursor.rowcount)


def newcomers(job: ReplayJob) -> int:
    """How many match by now that did not when it was evaluated: they are said, never added. Counted up to a bound."""
    if job.evaluated_at is None or "filter" not in job.selection:
        return 0
    known = ReplayItem.objects.filter(job=job, run_id=OuterRef("pk"))
    return runs(job.selection).exclude(Exists(known)).order_by()[:NEWCOMERS_COUNTED_MAX].count()


def _checked_ids(ids: list[Any]) -> list[str]:
    if not ids or len(ids) > IDS_MAX:
        raise Invalid(f"Name between 1 and {IDS_MAX:,} runs or events; for more, give a filter.", code="bad_ids")
    bad = [str(ident)[:60] for ident in ids if not (isinstance(ident, str) and PUBLIC_ID.match(ident))]
    if bad:
        raise Invalid(f"Not the id of a run (run_…) or an event (evt_…): {', '.join(bad[:5])}.", code="bad_ids")
    wanted = list(dict.fromkeys(ids))
    _check_known(wanted)
    return wanted


def _check_known(ids: list[str]) -> None:
    with_runs = set(Run.objects.filter(public_id__in=ids).values_list("public_id", flat=True))
    with_runs |= set(Event.objects.filter(public_id__in=ids, runs__isnull=False).values_list("public_id", flat=True))
    unknown = [ident for ident in ids if ident not in with_runs]
    if not unknown:
        return
    arrived = Event.objects.filter(public_id__in=unknown).values_list("public_id", flat=True)[:5]
    if arrived:
        raise Invalid(
            f"{', '.join(arrived)} has no run: no flow carried it. Release a quarantined event from its ticket.",
            code="event_without_run",
        )
    raise Missing(
        f"There is no run or event {', '.join(unknown[:5])}. Nothing was made.", context={"ids": unknown[:100]}
    )


def _checked_filter(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not values:
        raise Invalid(
            "Give at least one filter; to replay everything, give a time range that spans it.", code="filter_missing"
        )
    values = {str(name): str(value).replace("\0", "") for name, value in values.items()}
    unknown = sorted(set(values) - names_of(ReplayFilter))
    if unknown:
        raise BadQuery(
            f"Unknown filter {', '.join(unknown)[:200]}. There are: {', '.join(sorted(names_of(ReplayFilter)))}.",
            code="unknown_parameter",
        )
    found = ReplayFilter(values, queryset=Run.objects.none())
    if not found.is_valid():
        errors = [
            {"field": name, "message": str(message)}
            for name, messages in found.form.errors.items()
            for message in messages
        ]
        listed = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
        raise BadQuery(f"A filter has a value that it cannot read: {listed}", context={"errors": errors})
    _check_ranges(found.form.cleaned_data)
    return values


def _check_ranges(values: Mapping[str, Any]) -> None:
    for name in TIMES:
        since, until = values.get(f"{name}_after"), values.get(f"{name}_before")
        if since and until and since >= until:
            raise BadQuery(
                f"The time range is empty: {name}_after {since:%Y-%m-%d %H:%M} is not before {name}_before {until:%Y-%m-%d %H:%M}.",
                code="bad_time_range",
            )
    least, most = values.get("amount_min"), values.get("amount_max")
    if least is not None and most is not None and least > most:
        raise BadQuery(f"The amount range is empty: {least} is above {most}.", code="bad_amount_range")
