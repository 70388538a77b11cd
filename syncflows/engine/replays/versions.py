"""Which versions carried a run: told by its lineage, and by what was in force where the lineage does not reach. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncflows.engine.enums import FactKind
from syncflows.engine.models import LineageFact, Run
from syncflows.governance import catalog
from syncflows.governance.catalog import Versioned
from syncflows.governance.enums import Kind
from syncflows.governance.models import DefinitionVersion

TELLING = (FactKind.CONTRACT, FactKind.CANONICAL, FactKind.POLICY, FactKind.PLAN)


@dataclass(frozen=True)
class Then:
    """`pins` as `Run.replay["versions"]` keeps them; or `problem`, why they cannot be had. `assumed`: names that no fact tells, taken as in force then."""

    pins: dict[str, Any] | None = None
    problem: str = ""
    assumed: tuple[str, ...] = ()


@dataclass
class _Told:
    """What the newest carry of a run wrote down: version numbers by (kind, name), and when."""

    at: datetime | None = None
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)


def of_runs(runs: Collection[Run]) -> dict[int, Then]:
    """For each run, by its row number. A few queries, whatever the number of runs."""
    told = _told([run.pk for run in runs])
    flows = {run.pk: _flow(run) for run in runs}
    wanted = {(kind, name) for flow in flows.values() if flow for kind, name in _names(flow)}
    known = _known(wanted)
    return {run.pk: _then(run, flows[run.pk], told[run.pk], known) for run in runs}


def _flow(run: Run) -> Versioned | None:
    return catalog.kept(run.flow_version_id) if run.flow_version_id else None


def _names(flow: Versioned) -> list[tuple[str, str]]:
    """The definitions that a flow version names, the mapping's contract and policies among them."""
    spec = flow.spec
    return [
        (Kind.CONTRACT.value, spec.trigger.contract),
        (Kind.MAPPING.value, spec.mapping),
        *((Kind.POLICY.value, name) for name in spec.policies),
    ]


def _told(run_ids: Collection[int]) -> dict[int, _Told]:
    """Newer facts win: a run may have been carried several times, each time by other versions."""
    found: dict[int, _Told] = defaultdict(_Told)
    rows = LineageFact.objects.filter(run_id__in=run_ids, kind__in=TELLING).order_by("id")
    for run_id, kind, at, detail in rows.values_list("run_id", "kind", "at", "detail"):
        told = found[run_id or 0]
        told.at = at
        for place, number in _numbers(kind, detail):
            told.numbers[place] = number
    return found


def _numbers(kind: str, detail: dict[str, Any]) -> Iterable[tuple[tuple[str, str], int]]:
    if kind == FactKind.CONTRACT and detail.get("definition"):
        yield (Kind.CONTRACT.value, str(detail["contract"])), int(detail["definition"])
    elif kind == FactKind.CANONICAL:
        yield from _labelled(Kind.MAPPING, detail.get("mapping"))
    elif kind == FactKind.POLICY:
        yield from _labelled(Kind.POLICY, detail.get("policy"))
    elif kind == FactKind.PLAN:
        labels = list(detail.get("versions") or [])
        for what, label in zip((Kind.FLOW, Kind.CONTRACT, Kind.MAPPING), labels, strict=False):
            yield from _labelled(what, label)
        for label in labels[3:]:
            yield from _labelled(Kind.POLICY, label)


def _labelled(kind: Kind, label: Any) -> Iterable[tuple[tuple[str, str], int]]:
    name, _, number = str(label or "").rpartition(" ")
    if name and number.isdigit():
        yield (kind.value, name), int(number)


Known = dict[tuple[str, str], list[tuple[int, int, datetime]]]


def _known(names: Collection[tuple[str, str]]) -> Known:
    """Of each definition its versions: number, row number, since when."""
    found: Known = defaultdict(list)
    rows = DefinitionVersion.objects.filter(definition__name__in={name for _, name in names}).order_by("number")
    for kind, name, number, pk, at in rows.values_list(
        "definition__kind", "definition__name", "number", "pk", "created_at"
    ):
        found[kind, name].append((number, pk, at))
    return found


def _then(run: Run, flow: Versioned | None, told: _Told, known: Known) -> Then:
    if flow is None or told.at is None:
        return Then(
            problem=f"{run.public_id} was never carried, so no version carried it. Replay it with the current versions."
        )
    chosen, assumed = [], []
    for place in _names(flow):
        number = told.numbers.get(place)
        if number is None:
            assumed.append(place[1])
        row = _row(known.get(place, []), number, told.at)
        if row is None:
            said = f"version {number}" if number else "the version of then"
            return Then(
                problem=f"{place[0]} {place[1]}: {said} is gone. Replay {run.public_id} with the current versions."
            )
        chosen.append((place[1], row))
    (contract, mapping, *policies) = [row[1] for _, row in chosen]
    labels = [flow.label, *(f"{name} {row[0]}" for name, row in chosen)]
    pins = {"flow": flow.id, "contract": contract, "mapping": mapping, "policies": policies, "labels": labels}
    return Then(pins, assumed=tuple(assumed))


def _row(rows: list[tuple[int, int, datetime]], number: int | None, at: datetime) -> tuple[int, int, datetime] | None:
    """The version of that number; without one, the newest that existed then."""
    if number is not None:
        return next((row for row in rows if row[0] == number), None)
    return next((row for row in reversed(rows) if row[2] <= at), None)
