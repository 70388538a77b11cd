"""The course of a fault run: traffic while the storm blows, calm, rest, and the judge's word."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.db import InterfaceError, OperationalError, connection

from bench.chaos import evidence, traffic, verdict
from bench.chaos.crew import Crew
from bench.chaos.enums import Fault
from bench.chaos.erp import sandbox
from bench.chaos.storm import Storm
from bench.cluster import Cluster
from bench.contenders import product
from syncflows.engine.enums import DUE, FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from tests.faults.proxy import FaultyProxy

ERP_TOKEN = "erp-demo-token"
LOOK_EVERY_S = 0.1
TELL_EVERY_S = 5.0
BACKLOG_MOST = (
    600  # events wait at the source while this many are under way, so that traffic lasts as long as the storm
)
SHOWN_MOST = 20


@dataclass(frozen=True)
class Plan:
    """events: at most; fewer where `traffic_s` is over before. touched_again: share of deals with several events. fault_every: events to a fault."""

    events: int
    touched_again: float
    workers: int
    seed: int
    fault_every: int
    traffic_s: float
    deadline_s: float


def run(plan: Plan, *, cluster: Cluster, environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Run it. Returns the result as printed. Raises BenchError."""
    began = time.monotonic()
    with sandbox(folder, environment) as url, FaultyProxy(url, random.Random(plan.seed)) as way:
        product.define("chaos", "deals")
        sender = traffic.Sender(random.Random(plan.seed), _customer(url))
        crew = Crew(plan.workers, environment={**environment, "BENCH_ERP_URL": f"{way.url}/erp"}, folder=folder)
        storm = Storm(plan.seed, every=plan.fault_every, erp=url, way=way, crew=crew, servers_in=cluster.root)
        try:
            _blow(plan, sender, storm, crew, began=began)
        finally:
            crew.stop()
        found = verdict.judge(sender.accepted, evidence.runs(), evidence.orders(url))
        found.found[Fault.UNEXPLAINED] += _unexplained_ends(crew, storm)
    _tell_findings(found, folder / "workers.log")
    return {
        "events": len(sender.accepted), **found.counts(), "seconds": round(time.monotonic() - began, 1), "seed": plan.seed, "faults": storm.seen.total(),
        "faults_by_kind": dict(storm.seen), "calls_that_met_trouble": dict(way.met), "workers_started_again": len(crew.ended_by_themselves), "resent": sender.resent, "unanswered": sender.unanswered, "deals": len({event.key for event in sender.accepted}),
        "runs": _by_status(), "probes": _probes(),
    }  # fmt: skip


def _blow(plan: Plan, sender: traffic.Sender, storm: Storm, crew: Crew, *, began: float) -> None:
    """Send everything while the storm blows; then calm; then wait for rest, or for the deadline."""
    events = traffic.deals(random.Random(plan.seed), events=plan.events, touched_again=plan.touched_again)
    waiting = traffic.batches(random.Random(plan.seed), events)
    sent, calm = False, False
    for left in _watched(storm, crew, began + plan.deadline_s):
        if not sent and left < BACKLOG_MOST:
            some = next(waiting, None) if time.monotonic() < began + plan.traffic_s else None
            sent = some is None
            if some:
                sender.send(some)
        elif not calm and sent:
            storm.settle()
            calm = True
        elif sent and not left:
            return
        if not calm:
            storm.blow(len(sender.accepted))


def _watched(storm: Storm, crew: Crew, deadline: float) -> Iterator[int]:
    """The runs that are not at rest, again and again until the deadline; says how far it is."""
    told = 0.0
    while time.monotonic() < deadline:
        left = _left()
        if time.monotonic() - told > TELL_EVERY_S:
            _say(f"{left:,} not at rest, {storm.seen.total()} faults")
            told = time.monotonic()
        yield left
        crew.replace_dead()
        time.sleep(LOOK_EVERY_S)


def _unexplained_ends(crew: Crew, storm: Storm) -> list[str]:
    """Celery's worker may give up when its broker is killed under it (kombu's clean-up fails), and says 0; who runs it starts it again, as `Crew` does."""
    explained = {0} if storm.seen["valkey_killed"] else set()
    return [f"a worker ended by itself with {code}" for code in crew.ended_by_themselves if code not in explained]


def _left() -> int:
    """Runs that are not at rest. Asked again where the server was crashing."""
    while True:
        try:
            return Run.objects.filter(status__in=[*DUE, RunStatus.RUNNING]).count()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(LOOK_EVERY_S)


def _customer(url: str) -> str:
    answer = httpx.post(
        f"{url}/erp/customers",
        json={"external_id": "C1", "name": "Acme"},
        headers={"Authorization": f"Bearer {ERP_TOKEN}"},
        timeout=10,
        trust_env=False,
    )
    return str(answer.raise_for_status().json()["id"])


def _by_status() -> dict[str, int]:
    return {status.value: count for status in RunStatus if (count := Run.objects.filter(status=status).count())}


def _probes() -> int:
    return LineageFact.objects.filter(kind=FactKind.PROBED).count()


def _tell_findings(found: verdict.Verdict, log: Path) -> None:
    for fault, sentences in found.found.items():
        for sentence in sentences[:SHOWN_MOST]:
            _say(f"{fault}: {sentence}")
    if not found.holds and log.exists():
        _say(f"The workers' log ends:\n{log.read_text()[-4000:]}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
