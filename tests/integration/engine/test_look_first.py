"""`look_first`: a document that was in the target before Meshline is taken over, never made twice."""

from pathlib import Path

from meshline.kernel import actors
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run, Step, WriteAttempt
from syncflows.governance import apply, files
from tests.integration.engine import deals


def look_first(folder: Path, erp: str) -> None:
    """The deals flow, its first step told to look first."""
    text = deals.DEFINITIONS.replace("@URL@", erp).replace("@READ_S@", "1").replace("@SETTLE_S@", "0.3")
    text = text.replace("@ATTEMPTS@", "6").replace("on_change: @ON_CHANGE@", "look_first: true")
    (folder / "deals.yaml").write_text(text)
    assert apply.apply(files.load(folder), by=actors.system("tests")).updated == ["Flow/deals"]


def asks_and_sends(run: Run) -> list[str]:
    kinds = LineageFact.objects.filter(run_id=run.pk).order_by("id").values_list("kind", flat=True)
    return [kind for kind in kinds if kind in (FactKind.PROBED, FactKind.SENT, FactKind.ANSWERED)]


def test_look_first_takes_over_what_is_there(erp: str, customer_id: str, tmp_path: Path) -> None:
    [event] = deals.send(1, customer_id=customer_id)
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    number = deals.orders(erp)[0]["number"]
    forget()
    look_first(tmp_path, erp)
    [again] = deals.send(1, customer_id=customer_id, changed="2026-11-21")

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(again))

    assert [order["number"] for order in deals.orders(erp)] == [number]
    assert run.outcome == number
    assert asks_and_sends(run) == [FactKind.PROBED]


def test_look_first_writes_what_is_not_there(erp: str, customer_id: str, tmp_path: Path) -> None:
    look_first(tmp_path, erp)
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert len(deals.orders(erp)) == 1
    assert asks_and_sends(run) == [FactKind.PROBED, FactKind.SENT, FactKind.ANSWERED]


def test_look_first_looks_again_when_the_look_up_failed(erp: str, customer_id: str, tmp_path: Path) -> None:
    look_first(tmp_path, erp)
    deals.fault(erp, "status", path_prefix="/erp/orders", method="GET", count=1, params={"status": 503})
    [event] = deals.send(1, customer_id=customer_id)

    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert len(deals.orders(erp)) == 1
    assert asks_and_sends(run)[-3:] == [FactKind.PROBED, FactKind.SENT, FactKind.ANSWERED]
    assert not WriteAttempt.objects.filter(sent_at__year__lt=2000).exists()


def forget() -> None:
    """As if another program had written the order: Meshline's own record of it is gone."""
    WriteAttempt.objects.all().delete()
    Step.objects.all().delete()
