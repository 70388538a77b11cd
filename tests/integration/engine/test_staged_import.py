"""History through the soft ledger: imported without touching the books, compared with the ERP, adopted where it is there, promoted where it is not."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from exceptions.models import Approval, Ticket
from meshline.kernel import actors
from syncflows.engine import figures
from syncflows.engine.enums import FactKind, RunStatus, StagedAction, StagedStatus
from syncflows.engine.models import CanonicalRecord, LineageFact, Run
from syncflows.engine.soft import acts, batches, bulk
from syncflows.engine.soft.batches import BadLabel
from syncflows.engine.soft.models import StagedBatch, StagedDocument
from syncflows.enums import HoldReason
from tests.factories import people
from tests.integration.engine import deals, soft_deals


@pytest.fixture
def books(erp: str) -> str:
    """The flow writes directly; only imports are staged."""
    soft_deals.define(erp, commit="direct")
    return erp


def run(*args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*args, stdout=out, stderr=io.StringIO())
    found: dict[str, Any] = json.loads(out.getvalue().strip().splitlines()[-1])
    return found


def test_history_is_compared_adopted_and_promoted(books: str, customer_id: str) -> None:
    """Twelve deals: four are in the ERP as they were, one with another total; the rest is missing there."""
    numbers = {n: soft_deals.order(books, n, customer_id=customer_id) for n in (1, 2, 3, 4)}
    soft_deals.order(books, 5, customer_id=customer_id, total="90.00")
    runs = soft_deals.send(*range(1, 13), customer_id=customer_id, batch="deals-2024")
    assert {found.hold_reason for found in runs} == {HoldReason.STAGED}
    assert deals.ledger(books)["count"] == 5

    rows = soft_deals.staged(*runs)
    verdicts = soft_deals.compare(rows)
    assert [verdicts[f"D{n}"] for n in range(1, 8)] == ["matched"] * 4 + ["differs"] + ["missing"] * 2
    alice = people.alice()
    adopted = acts.promote(soft_deals.ids(rows), by=alice, reason="there already", mode=StagedAction.ADOPT)
    promoted = acts.promote(soft_deals.ids(rows), by=alice, reason="the rest")
    soft_deals.drain()

    assert sum(found.done for found in adopted) == 5
    assert sum(found.done for found in promoted) == 7
    assert deals.ledger(books)["count"] == 12
    assert deals.ledger(books)["duplicates"] == []
    for number, external_id in numbers.items():
        record = CanonicalRecord.objects.get(key=f"D{number}")
        assert record.external_ids == {"erp": external_id}
        assert record.delivered_at
        kinds = set(LineageFact.objects.filter(run_id=record.run_id).values_list("kind", flat=True))
        assert FactKind.SENT not in kinds
        assert {FactKind.STAGED, FactKind.RECONCILED, FactKind.PROMOTED, FactKind.PROBED} <= kinds
    assert Ticket.objects.count() == 0


def test_what_differs_is_neither_promoted_nor_lost(books: str, customer_id: str) -> None:
    soft_deals.order(books, 1, customer_id=customer_id, total="90.00")
    rows = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="b"))
    soft_deals.compare(rows)
    [result] = acts.promote(soft_deals.ids(rows), by=people.alice(), reason="all")
    [row] = soft_deals.staged(*Run.objects.all())
    assert (result.code, row.status) == ("there_different", StagedStatus.STAGED)
    assert [(item["name"], item["ours"], item["theirs"]) for item in row.difference] == [("total", "100.00", "90.00")]


def test_adopting_what_is_gone_again_stages_it_again(books: str, customer_id: str) -> None:
    """Adoption never writes, even where the target lost the document since the comparison."""
    rows = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="b"))
    StagedDocument.objects.filter(pk=rows[0].pk).update(verdict="matched", verdict_at=timezone.now())
    acts.promote(soft_deals.ids(rows), by=people.alice(), reason="there", mode=StagedAction.ADOPT)
    soft_deals.drain()

    [row] = soft_deals.staged(*Run.objects.all())
    assert row.status == StagedStatus.STAGED
    assert "nothing to adopt" in row.status_reason
    assert deals.orders(books) == []
    acts.promote([row.pk], by=people.alice(), reason="then write it")
    soft_deals.drain()
    assert len(deals.orders(books)) == 1


def test_an_import_asks_nobody_before_it_is_promoted(books: str, customer_id: str) -> None:
    """A discount above the cap is told, staged, and asked for only when the document is to be written."""
    [found] = soft_deals.send(1, customer_id=customer_id, batch="b", list="200.00")
    assert (found.hold_reason, Approval.objects.count()) == (HoldReason.STAGED, 0)
    acts.promote(soft_deals.ids(soft_deals.staged(found)), by=people.alice(), reason="write it")
    soft_deals.drain()

    found.refresh_from_db()
    assert (found.status, found.hold_reason) == (RunStatus.HELD, HoldReason.APPROVAL)
    assert Approval.objects.get().run_id == found.pk
    assert soft_deals.staged(found)[0].status == StagedStatus.PROMOTING


def test_failures_of_an_import_share_one_ticket_without_money(books: str, customer_id: str) -> None:
    soft_deals.send(1, 2, 3, customer_id=customer_id, batch="b", stage="lost")  # breaks the contract
    ticket = Ticket.objects.get()
    assert (ticket.subject, ticket.run_id, ticket.amount, ticket.times_seen) == ("batch:b", None, None, 3)
    assert ticket.due_at - ticket.opened_at == timedelta(days=7)
    assert "staged import b" in ticket.message
    [standing] = batches.standings(list(StagedBatch.objects.all()))
    assert batches.failing(standing) == 3


def test_a_failure_after_promotion_is_live(books: str) -> None:
    rows = soft_deals.staged(*soft_deals.send(1, customer_id="nobody", batch="b"))
    acts.promote(soft_deals.ids(rows), by=people.alice(), reason="write it")
    soft_deals.drain()
    assert Ticket.objects.get().subject.startswith("run:")


def test_figures_leave_imports_out(books: str, customer_id: str) -> None:
    soft_deals.send(1, 2, customer_id=customer_id, batch="b")
    assert [item.count for item in figures.unfinished() if item.status == RunStatus.HELD] == [0]
    acts.promote(soft_deals.ids(soft_deals.staged(*Run.objects.all())), by=people.alice(), reason="go")
    soft_deals.drain()
    long_ago = timezone.now() - timedelta(days=1)
    assert figures.delivered(long_ago, flows=["deals"]).count == 0
    assert figures.autonomy(long_ago).completed == 0


def test_live_events_go_before_history(books: str, customer_id: str) -> None:
    batches.begin("b", by=soft_deals.DANA)
    [old] = soft_deals.send(1, customer_id=customer_id, batch="b")
    [live] = deals.send(2, customer_id=customer_id)
    assert old.priority > deals.run_of(live).priority + 1000


def test_history_older_than_what_is_live_changes_nothing(books: str, customer_id: str) -> None:
    [live] = soft_deals.send(1, customer_id=customer_id, changed="5")
    assert live.status == RunStatus.COMPLETED
    [old] = soft_deals.send(1, customer_id=customer_id, changed="2", amount="7.00", batch="b")
    assert (old.status, soft_deals.staged(old)) == (RunStatus.SUPERSEDED, [])


@pytest.mark.parametrize("label", ["", " ", "a b", "../x", "<b>", "x" * 81, "نور", "-x", "a\0b"])
def test_a_label_that_cannot_be_one_is_refused(db: None, label: str) -> None:
    with pytest.raises(BadLabel, match="label"):
        batches.begin(label, by=soft_deals.DANA)
    assert not StagedBatch.objects.exists()


def test_the_command_imports_compares_adopts_and_promotes(books: str, customer_id: str, tmp_path: Path) -> None:
    soft_deals.order(books, 1, customer_id=customer_id)
    lines = [{"deal_id": f"D{n}", "customer_id": customer_id, "amount": "100.00"} for n in (1, 2, 3)]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    alice = people.alice()
    told = run(
        "ingest",
        str(path),
        "--system",
        "crm",
        "--type",
        "deal.changed",
        "--staged",
        "--batch",
        "h1",
        "--by",
        alice.username,
    )
    assert (told["accepted"], told["batch"]) == (3, "h1")
    again = run("ingest", str(path), "--system", "crm", "--type", "deal.changed", "--staged", "--batch", "h1")
    assert (again["accepted"], again["duplicate"]) == (0, 3)
    assert StagedBatch.objects.get().importers == [alice.public_id, actors.system("command line").ident]
    soft_deals.drain()

    assert run("staged", "compare", "--all", "--batch", "h1", "--by", alice.username)["done"] == 3
    seen = run("staged", "promote", "--all", "--batch", "h1", "--by", alice.username, "--reason", "x", "--dry-run")
    assert (seen["allowed"], seen["verdicts"], seen["amounts"]) == (3, {"matched": 1, "missing": 2}, {"USD": "300.00"})
    who = ("--by", alice.username, "--reason", "history")
    assert run("staged", "adopt", "--all", "--batch", "h1", "--verdict", "matched", *who)["done"] == 1
    soft_deals.drain()
    assert run("staged", "promote", "--all", "--batch", "h1", *who)["done"] == 2
    soft_deals.drain()
    assert deals.ledger(books)["count"] == 3
    assert run("staged", "list", "--status", "promoted")["count"] == 3
    with pytest.raises(CommandError, match="Name documents"):
        run("staged", "promote", *who)
    with pytest.raises(CommandError, match="--staged"):
        run("ingest", str(path), "--system", "crm", "--batch", "h1")


def test_a_bulk_act_is_throttled_cancelled_and_told_one_by_one(books: str, customer_id: str, settings: Any) -> None:
    settings.MESHLINE_PROMOTING_MAX = 3
    rows = soft_deals.staged(*soft_deals.send(*range(1, 8), customer_id=customer_id, batch="b"))
    alice = people.alice()
    acts.revoke([rows[0].pk], by=alice, reason="wrong")
    act = bulk.make(StagedAction.PROMOTE, StagedDocument.objects.filter(batch="b"), by=alice)
    act = bulk.ask(act, reason="go", by=alice)

    bulk.carry(act, slices=5)
    told = bulk.counts(act)
    assert (act.ended_at, told["waiting"]) == (None, 3)
    assert StagedDocument.objects.filter(status=StagedStatus.PROMOTING).count() == 3
    soft_deals.drain()
    bulk.cancel(act, by=alice)
    act = bulk.carry(act)

    assert act.ended_at
    assert bulk.counts(act) == {"done": 3, "left": 1, "waiting": 3}
    assert act.items.get(state="left").code == "not_staged"
    assert deals.ledger(books)["count"] == 3


def test_the_ticket_of_an_import_and_its_page_can_be_read(books: str, customer_id: str) -> None:
    soft_deals.send(1, 2, customer_id=customer_id, batch="b", stage="lost")
    client = Client()
    client.force_login(people.alice())
    ticket = Ticket.objects.get()
    assert client.get(reverse("ticket", args=[ticket.public_id])).status_code == 200
    assert "staged import b" in client.get("/queue/?view=all").content.decode()
    assert "2 records" in client.get("/staged/imports/").content.decode()
    assert client.get("/runs/?batch=b").content.decode().count("data-row=") == 2
    assert client.get("/").status_code == 200


def test_a_staged_document_is_found_by_its_id(books: str, customer_id: str) -> None:
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="b"))
    client = Client()
    client.force_login(people.charlie())
    assert client.get(f"/trace/?q={row.public_id}").headers["Location"] == f"/staged/{row.public_id}/"
    assert client.get(f"/trace/{row.run.public_id}/").status_code == 200
