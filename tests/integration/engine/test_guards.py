"""Every guard beside every way of losing an answer, on a real ERP: one order each time; or, where nothing can be promised, one send and a ticket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from exceptions.models import Ticket
from meshline.kernel import actors
from syncflows.engine import batch, connections, ingest, sweeping
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import DUE, RunStatus
from syncflows.engine.models import Run
from syncflows.governance import apply, catalog, files
from tests import polling
from tests.servers import guarded_erp

FIND = '{path: /@/orders, query: {ref: "{reference}"}, external_id: item.id, looks: 4}'
GUARDS = {
    "key": 'method: POST, path: /key/orders, guard: idempotency_key, headers: {Idempotency-Key: "{idempotency_key}"}, external_id: answer.id',
    "upsert": 'method: PUT, path: "/upsert/orders/{reference}", guard: upsert_by_external_id, external_id: answer.id',
    "unique": f"method: POST, path: /unique/orders, guard: unique_reference, external_id: answer.id, find: {FIND.replace('@', 'unique')}",
    "lookup": f"method: POST, path: /lookup/orders, guard: lookup, external_id: answer.id, find: {FIND.replace('@', 'lookup')}",
    "none": "method: POST, path: /none/orders, guard: none, external_id: answer.id",
}
LOST = ("timeout_after_commit", "error_after_commit", "busy_after_commit", "cut_after_commit", "slow", "duplicate_answer", "appears_late", "appears_after_looks", "look_fails")  # fmt: skip
NOT_DONE = ("cut_before_commit", "busy")
LOOKED_UP = ("unique", "lookup")
DEFINITIONS = """
apiVersion: meshline/v1
kind: System
metadata: {name: source}
spec: {connector: http}
---
apiVersion: meshline/v1
kind: System
metadata: {name: erp, labels: {unsafe: accepted}}
spec:
  connector: http
  base_url: "@URL@"
  timeouts: {connect_s: 2, read_s: 0.3, settle_s: @SETTLE_S@}
  retry: {base_s: 0.05, factor: 1, cap_s: 0.1, max_attempts: 12}
  concurrency: 64
  errors: [{when: "status == 409 && answer.code == 'duplicate'", raises: duplicate}]
  operations:
@OPERATIONS@
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: deal}
spec: {version: 1.0.0, system: source, types: [deal], object: deal, key: payload.ref, schema: {type: object}}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: deal}
spec: {contract: deal, object: order, fields: {ref: payload.ref}}
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: deals}
spec:
  trigger: {contract: deal}
  mapping: deal
  steps:
@STEPS@
"""


@pytest.fixture
def erp(transactional_db: None) -> Iterator[guarded_erp.Erp]:
    with guarded_erp.running() as running:
        yield running
        connections.close_all()


def define(erp: guarded_erp.Erp, *, settle_s: float) -> None:
    steps = "      reference: payload.ref\n      document: {ref: payload.ref}\n"
    text = DEFINITIONS.replace("@URL@", erp.url).replace("@SETTLE_S@", str(settle_s))
    text = text.replace("@OPERATIONS@", "\n".join(f"    {name}: {{{said}}}" for name, said in GUARDS.items()))
    text = text.replace("@STEPS@", "".join(f"    - name: {name}\n      system: erp\n      operation: {name}\n      when: payload.guard == '{name}'\n{steps}" for name in GUARDS))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "guards.yaml").write_text(text)
        summary = apply.apply(files.load(Path(folder)), by=actors.system("tests"))
    assert not summary.problems, summary.problems
    assert "cannot be made safe" in " ".join(str(warning) for warning in summary.warnings)


def send(*deals: tuple[str, str]) -> None:
    arrivals = [Arrival(source="source", type="deal", payload={"ref": ref, "guard": guard}) for guard, ref in deals]
    ingest.accept(arrivals, catalog=catalog.current())


def carry(*, timeout_s: float) -> None:
    def ended() -> bool:
        sweeping.sweep()
        while batch.work():
            pass
        return not Run.objects.filter(status__in=[*DUE, RunStatus.RUNNING]).exists()

    left = Run.objects.exclude(status=RunStatus.COMPLETED).values_list("canonical_key", "status", "status_reason")
    polling.until(ended, timeout_s=timeout_s, what=lambda: list(left[:5]))


def test_every_guard_beside_every_lost_answer(erp: guarded_erp.Erp, settings: Settings) -> None:
    settings.MESHLINE_WRITE_THREADS = 64
    define(erp, settle_s=1)
    troubles = (*LOST, *NOT_DONE, "well", "found_twice", "look_refused")
    deals = [(guard, f"{trouble}-{guard}") for guard in GUARDS for trouble in troubles]
    send(*deals)

    carry(timeout_s=40)

    wrong = [said for guard, ref in deals if (said := _wrong(erp.books, guard, ref))]
    assert wrong == []


def _wrong(books: guarded_erp.Books, guard: str, ref: str) -> str:
    """What is not as promised of this guard and trouble; empty where all is."""
    trouble = ref.rpartition("-")[0]
    run, orders, sent = Run.objects.get(canonical_key=ref), len(books.of(guard, ref)), books.sent[guard, ref]
    ticket = Ticket.objects.filter(run=run).values_list("exception_class", "reason").first()
    found = (run.status, orders, ticket)
    wanted: tuple[object, ...] = (RunStatus.COMPLETED, 1, None)
    if guard in LOOKED_UP and trouble == "found_twice":
        wanted = (RunStatus.FAILED, 1, ("duplicate", "reference_found_twice"))
    elif guard in LOOKED_UP and trouble == "look_refused":
        wanted = (RunStatus.FAILED, 1, ("internal", "look_up_refused"))
    elif guard == "none" and trouble != "well":
        wanted = (RunStatus.FAILED, 0 if trouble in NOT_DONE else 1, ("partial", "outcome_unknown"))
        if sent != 1:
            return f"{ref}: sent {sent} times"
    return "" if found == wanted else f"{ref}: {found} and not {wanted}: {run.status_reason}"


def test_ticket_of_a_reference_found_twice_holds_both_records(erp: guarded_erp.Erp) -> None:
    define(erp, settle_s=0.2)
    send(("lookup", "found_twice-1"))

    carry(timeout_s=15)

    records = Ticket.objects.get().context["records"]
    assert [record["external_id"] for record in records] == ["lookup-1", "stranger-1"]
    assert all(record["document"]["ref"] == "found_twice-1" for record in records)


@pytest.mark.slow
def test_a_thousand_time_outs_after_commit_are_a_thousand_orders(erp: guarded_erp.Erp, settings: Settings) -> None:
    settings.MESHLINE_WRITE_THREADS = 64
    settings.MESHLINE_BATCH_SIZE = 200
    define(erp, settle_s=0.5)
    send(*(("lookup", f"timeout_after_commit-{number}") for number in range(1000)))

    carry(timeout_s=120)

    orders = erp.books.orders["lookup"]
    assert (len(orders), len({order["ref"] for order in orders})) == (1000, 1000)
    assert Run.objects.filter(status=RunStatus.COMPLETED).count() == 1000
    assert set(erp.books.sent.values()) == {1}
