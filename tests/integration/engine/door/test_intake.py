"""Back-pressure at the doors: quotas of sources over several processes, the backlog, and the loss of Valkey meanwhile."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from meshline.kernel import counters
from ownership.models import System
from syncflows.engine import connections, intake_figures
from syncflows.engine.door import backlog, paces, quotas, turns
from syncflows.engine.door.errors import BacklogFull, QuotaUsedUp
from syncflows.engine.files import imports
from syncflows.engine.models import Event, Run
from syncflows.governance import catalog
from syncflows.governance.schemas.intake import Intake
from tests.factories import people
from tests.integration.engine.door import doorstep
from tests.integration.engine.door.test_api_events import BATCH, STRUCTURED, event
from tests.integration.engine.door.test_front import EVENTS, HOOK, bearer
from tests.integration.engine.door.test_webhooks import WEBHOOK, deal, signed
from tests.polling import until
from tests.servers.own_valkey import OwnValkey

CHECKOUT = Path(__file__).resolve().parents[4]
HAMMER = """
import json, sys, time
import django
django.setup()
from syncflows.engine.door import paces, quotas
from syncflows.governance.schemas.intake import Intake
limits = {"crm": paces.limit_of(Intake(per_second=200, burst=50))}
quotas.QUOTAS.take([{"crm": 1}], limits)
print("ready", flush=True)
sys.stdin.readline()
taken, end = 0, time.monotonic() + 1.5
while time.monotonic() < end:
    taken += sum(refusal is None for refusal in quotas.QUOTAS.take([{"crm": 1}] * 5, limits))
print(json.dumps({"taken": taken, "alone": quotas.QUOTAS.is_alone}), flush=True)
"""


@pytest.fixture(autouse=True)
def valkey(settings: Settings) -> Iterator[OwnValkey]:
    """What the doors keep, in a Valkey that may be killed."""
    with OwnValkey() as own:
        settings.REDIS_URL = own.url
        _anew()
        yield own
    _anew()


def _anew() -> None:
    for cached in (quotas.client, quotas._script, counters.client):
        cached.cache_clear()
    counters.FUSE.mend()
    quotas.QUOTAS.__init__()
    backlog.GAUGE.forget()


@pytest.fixture
def http(front: str) -> Iterator[httpx.Client]:
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=front, timeout=20, trust_env=False, limits=limits) as client:
        yield client
    connections.close_all()


def crm(**ingest: Any) -> None:
    doorstep.crm(system={"webhook": WEBHOOK, "ingest": ingest})


def hook(http: httpx.Client, number: int) -> httpx.Response:
    return http.post(HOOK, content=deal(number), headers=signed(deal(number), ident=f"msg_{number}"))


def flood(http: httpx.Client, *, threads: int, each: int) -> list[httpx.Response]:
    answers: list[httpx.Response] = []
    jobs = [
        threading.Thread(
            target=lambda part=part: answers.extend(hook(http, part * each + item) for item in range(each))
        )
        for part in range(threads)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    return answers


def test_flood_is_held_to_the_quota_and_the_rest_is_told_when(http: httpx.Client) -> None:
    """Beyond the burst 429 with Retry-After; what was taken is there, nothing else is; after Retry-After it is taken."""
    crm(per_second=5, burst=20)
    began = time.monotonic()
    answers = flood(http, threads=8, each=10)
    allowed = 20 + 5 * (time.monotonic() - began) + 1
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {202, 429}
    assert 20 <= statuses[202] <= allowed
    assert Event.objects.count() == Run.objects.count() == statuses[202]
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem = refused.json()
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["retryable"], problem["context"]["source"]) == ("quota_exceeded", True, "crm")
    assert refused.headers["Retry-After"] == str(problem["context"]["retry_after_s"])
    again = hook(http, 1000)
    until(
        lambda: again.status_code == 202 or _later(http, again), timeout_s=5, what="it is not taken after Retry-After"
    )


def _later(http: httpx.Client, refused: httpx.Response) -> bool:
    time.sleep(int(refused.headers["Retry-After"]))
    return hook(http, 1000).status_code == 202


def test_quota_is_shared_by_two_processes(valkey: OwnValkey) -> None:
    environment = {**os.environ, "REDIS_URL": valkey.url, "DJANGO_SETTINGS_MODULE": "meshline.settings"}
    children = [
        subprocess.Popen([sys.executable, "-c", HAMMER], cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    began = time.monotonic()
    told = [json.loads(child.communicate("go\n", timeout=30)[0]) for child in children]
    took_s = time.monotonic() - began
    assert not any(found["alone"] for found in told)
    assert 200 * 1.0 < sum(found["taken"] for found in told) <= 50 + 200 * (took_s + 1)


def test_valkey_killed_in_a_flood_leaves_each_process_its_part(http: httpx.Client, valkey: OwnValkey) -> None:
    """Events go on being taken, still not more than the quota, and it is said; then it is shared again, and the day's count goes on."""
    crm(per_second=50, burst=10, per_day=10_000)
    until(lambda: hook(http, 999).status_code == 202, timeout_s=5, what="nothing is taken")
    valkey.kill()
    began = time.monotonic()
    answers = flood(http, threads=4, each=15)
    taken = sum(answer.status_code == 202 for answer in answers)
    assert {answer.status_code for answer in answers} <= {202, 429}
    assert 10 <= taken <= 10 + 50 * (time.monotonic() - began) + 1
    assert "keeps its part of the quotas" in http.get("/readyz").json()["checks"]["doors"]["detail"]
    assert Event.objects.count() == taken + 1
    valkey.start()
    until(
        lambda: hook(http, 5000).status_code < 300 and not quotas.QUOTAS.is_alone, timeout_s=10, what="not shared again"
    )
    assert quotas.taken_today(["crm"])["crm"] >= taken + 1


def test_batch_is_taken_whole_or_not_at_all(http: httpx.Client) -> None:
    crm(per_second=0.01, burst=5)
    _, login = bearer("events:write")

    def send(*numbers: int) -> httpx.Response:
        return http.post(EVENTS, content=json.dumps([event(n) for n in numbers]), headers={**BATCH, **login})

    answers = [send(1, 2, 3), send(4, 5, 6), send(4, 5), send(*range(10, 16))]
    assert [answer.status_code for answer in answers] == [202, 429, 202, 422]
    assert (answers[3].json()["code"], answers[3].json()["context"]["most"]) == ("batch_over_quota", 5)
    assert Event.objects.count() == 5


def test_days_quota_ends_at_midnight_and_says_so(http: httpx.Client) -> None:
    crm(per_day=2)
    _, login = bearer("events:write")
    answers = [http.post(EVENTS, json=event(number), headers={**STRUCTURED, **login}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    left_s = 86_400 - time.time() % 86_400
    assert left_s - 60 < int(answers[2].headers["Retry-After"]) <= left_s + 60
    assert answers[2].json()["context"]["quota"] == "per_day"


def test_script_and_arithmetic_agree() -> None:
    """One burst of demands on both, at the same moment as far as a moment goes."""
    spec = {
        "crm": paces.limit_of(Intake(per_minute=1, burst=7, per_day=100)),
        "shop": paces.limit_of(Intake(per_day=5)),
    }
    limits = {name: limit for name, limit in spec.items() if limit}
    demands = [{"crm": 3}, {"crm": 3, "shop": 4}, {"crm": 1, "shop": 1}, {"crm": 1}, {"shop": 2}, {"shop": 1}]
    states = {name: paces.State() for name in limits}
    shared = quotas.QUOTAS.take(demands, limits)
    alone = [paces.take(states, limits, demand, now_us=time.time() * 1e6) for demand in demands]
    assert [found and (found.source, found.quota) for found in shared] == [
        found and (found.source, found.quota) for found in alone
    ]
    assert [found is None for found in shared] == [True, True, True, False, False, False]
    for one, other in zip(shared, alone, strict=True):
        assert one is other is None or (one and other and abs(one.wait_us - other.wait_us) < 5_000_000)


def runs_due(number: int) -> None:
    from syncflows.engine import ingest
    from syncflows.engine.arrivals import Arrival

    arrivals = [
        Arrival("crm", "deal.won", {"deal_id": f"B{item}", "amount": "1"}, f"b-{item}") for item in range(number)
    ]
    ingest.accept(arrivals, catalog=catalog.current())


def recount() -> backlog.Count:
    quotas.client().delete(backlog.LOCK)
    return backlog.GAUGE.refresh(catalog.current())


def finish(number: int) -> None:
    ids = list(Run.objects.filter(status="pending").values_list("pk", flat=True)[:number])
    Run.objects.filter(pk__in=ids).update(status="completed", ended_at=timezone.now())


@pytest.mark.parametrize(("importance", "due", "left"), [("low", 6, 4), ("normal", 9, 6), ("high", 11, 8)])
def test_backlog_sends_sources_away_by_importance_and_lets_them_in_again(
    http: httpx.Client, settings: Settings, importance: str, due: int, left: int
) -> None:
    """Each at its mark, and not back before four fifths of it."""
    settings.MESHLINE_BACKLOG_HIGH = 10
    crm(importance=importance)
    runs_due(due - 1)
    recount()
    assert hook(http, 1).status_code == 202
    assert importance in recount().importances
    answer = hook(http, 2)
    assert (answer.status_code, answer.json()["code"], answer.json()["context"]["backlog"]) == (
        429,
        "backlog_full",
        due,
    )
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    finish(due - left - 1)
    assert importance in recount().importances
    finish(1)
    recount()
    assert hook(http, 2).status_code == 202


def test_less_important_sources_wait_first(http: httpx.Client, settings: Settings) -> None:
    settings.MESHLINE_BACKLOG_HIGH = 10
    doorstep.crm()
    runs_due(9)
    assert recount().importances == ("low", "normal")


def test_a_sources_own_backlog_holds_only_that_source(http: httpx.Client) -> None:
    crm(backlog=3)
    doorstep.activate(doorstep.Kind.SYSTEM, "shop", doorstep.SYSTEM)
    runs_due(5)
    assert recount().sources == ("crm",)
    _, login = bearer("events:write")
    answers = [http.post(EVENTS, json=event(source=name), headers={**STRUCTURED, **login}) for name in ("crm", "shop")]
    assert [answer.status_code for answer in answers] == [
        429,
        422,
    ]  # a shop has no contract here: it was let in, and quarantined


def test_retry_after_tells_how_long_the_work_will_take(db: None, settings: Settings) -> None:
    settings.MESHLINE_BACKLOG_HIGH = 20
    crm()
    runs_due(30)
    recount()
    finish(5)
    before, count = backlog.GAUGE.count, recount()
    passed_s = count.at - before.at
    verdict = backlog.GAUGE.verdict("crm", None)
    assert count.done_per_s == pytest.approx(5 / passed_s)
    assert isinstance(verdict, BacklogFull)
    assert verdict.wait_s == pytest.approx(min((25 - 16 * 0.8) / count.done_per_s, 300))


def test_old_count_lets_everybody_in(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MESHLINE_BACKLOG_HIGH = 10
    crm()
    runs_due(20)
    recount()
    monkeypatch.setattr(backlog, "STALE_S", 0.0)
    assert backlog.GAUGE.verdict("crm", None) is None


def test_gauge_counts_by_itself_while_events_come(http: httpx.Client, settings: Settings) -> None:
    settings.MESHLINE_BACKLOG_HIGH = 10
    crm()
    runs_due(20)
    numbers = iter(range(1000))
    until(lambda: hook(http, next(numbers)).status_code == 429, timeout_s=10, what="nobody counted", every_s=0.1)


def test_import_waits_for_its_turn_and_stops_at_the_days_end(db: None, tmp_path: Path) -> None:
    """In steps of the burst; the day's quota ends it with what to do, and what is in stays."""
    crm(per_second=100, burst=4, per_day=10)
    file = tmp_path / "deals.csv"
    file.write_text("deal_id,amount\n" + "".join(f"D{number},1\n" for number in range(20)))
    plan = imports.plan(file, system="crm")
    waits: list[str] = []
    with pytest.raises(QuotaUsedUp) as refused:
        imports.run(plan, imports.begin(plan), tell=lambda position: None, tell_waiting=waits.append)
    assert "10 events a day" in refused.value.message
    assert Event.objects.count() == 8
    assert waits
    crm()
    assert imports.run(imports.plan(file, system="crm"), imports.begin(plan), tell=lambda position: None).accepted == 12


def test_import_gives_up_on_a_backlog_that_nobody_works_off(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MESHLINE_BACKLOG_HIGH = 10
    monkeypatch.setattr(turns, "PATIENCE_S", 0.0)
    crm()
    runs_due(20)
    with pytest.raises(BacklogFull, match="20 runs are due"):
        turns.wait("crm", 1, catalog.current())


def test_figures_are_on_the_systems_page_and_in_metrics(http: httpx.Client, client: Client) -> None:
    crm(per_second=0.01, burst=2, per_day=50, importance="low")
    assert [hook(http, number).status_code for number in range(3)] == [202, 202, 429]
    System.objects.get_or_create(name="crm", defaults={"title": "CRM"})
    client.force_login(people.person("alice"))
    page = client.get("/systems/crm/").content.decode()
    for words in (
        "0.01 a second, 50 a day, at most 2 at once",
        "2 of 50",
        "1 requests beyond its quota",
        "waits above",
    ):
        assert words in page
    told = http.get("/metrics").text
    assert 'meshline_intake_refused_total{reason="quota_exceeded",system="crm"} 1.0' in told
    assert 'meshline_intake_today{system="crm"} 2.0' in told
    assert 'meshline_intake_waits{importance="low"} 0.0' in told


def test_page_says_that_counters_are_not_known_without_valkey(db: None, valkey: OwnValkey) -> None:
    crm(per_second=1)
    valkey.kill()
    rows = intake_figures.rows(catalog.current().get(doorstep.Kind.SYSTEM, "crm"))
    assert ("Quota", "1 a second") in rows
    assert rows[-1][0] == "Counters"
