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

from bench.chaos import evidence, traffic, verdict
from bench.chaos.crew import Crew
from bench.chaos.enums import Fault
from bench.chaos.erp import sandbox
from bench.chaos.storm import Storm
from bench.contenders import product
from syncflows.engine.enums import DUE, FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run

ERP_TOKEN = "erp-demo-token"
LOOK_EVERY_S = 0.1
TELL_EVERY_S = 5.0
BACKLOG_MOST = (
    600  # events wait at the source while this many are under way, so that traffic lasts as long as the storm
)
SHOWN_MOST = 20


@dataclass(frozen=True)
class Plan:
    events: int
    touches: int
    workers: int
    seed: int
    deadline_s: float


def run(plan: Plan, *, environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Run it. Returns the result as printed. Raises BenchError."""
    began = time.monotonic()
    with sandbox(folder, environment) as url:
        product.define("chaos", "deals")
        sender = traffic.Sender(random.Random(plan.seed), _customer(url))
        crew = Crew(
            plan.workers, environment={**environment, "BENCH_ERP_URL": f"{url}/erp"}, log=folder / "workers.log"
        )
        storm = Storm(plan.seed, erp=url, crew=crew)
        try:
            _blow(plan, sender, storm, crew, deadline=began + plan.deadline_s)
        finally:
            crew.stop()
        found = verdict.judge(sender.accepted, evidence.runs(), evidence.orders(url))
        found.found[Fault.UNEXPLAINED] += [f"a worker ended by itself with {code}" for code in crew.ended_by_themselves]
    _tell_findings(found, folder / "workers.log")
    return {
        "events": len(sender.accepted), **found.counts(), "seconds": round(time.monotonic() - began, 1), "seed": plan.seed, "kills": crew.kills,
        "faults": storm.faults, "resent": sender.resent, "deals": len({event.key for event in sender.accepted}), "runs": _by_status(), "probes": _probes(),
    }  # fmt: skip


def _blow(plan: Plan, sender: traffic.Sender, storm: Storm, crew: Crew, *, deadline: float) -> None:
    """Send everything while the storm blows; let it blow until a tenth is left; then wait for rest, or for the deadline."""
    events = traffic.deals(random.Random(plan.seed), events=plan.events, touches=plan.touches)
    waiting = traffic.batches(random.Random(plan.seed), events)
    sent, calm = False, False
    for left in _watched(storm, crew, deadline):
        if not sent and left < BACKLOG_MOST:
            some = next(waiting, None)
            sent = some is None
            if some:
                sender.send(some)
        elif not calm and sent and left < plan.events / 10:
            storm.settle()
            calm = True
        elif sent and not left:
            return
        if not calm:
            storm.blow()


def _watched(storm: Storm, crew: Crew, deadline: float) -> Iterator[int]:
    """The runs that are not at rest, again and again until the deadline; says how far it is."""
    told = 0.0
    while time.monotonic() < deadline:
        left = Run.objects.filter(status__in=[*DUE, RunStatus.RUNNING]).count()
        if time.monotonic() - told > TELL_EVERY_S:
            _say(f"{Run.objects.count():,} events in, {left:,} not at rest, {crew.kills} kills, {storm.faults} faults")
            told = time.monotonic()
        yield left
        crew.replace_dead()
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
