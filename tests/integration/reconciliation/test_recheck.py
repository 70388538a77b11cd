"""One discrepancy looked at again; tickets of discrepancies end by proof."""

from __future__ import annotations

import httpx
import pytest

from exceptions import fixing, tickets
from exceptions.enums import Resolution, TicketStatus
from exceptions.models import Ticket
from meshline.kernel.errors import Conflict, Invalid, Missing, Unavailable
from reconciliation.enums import DiscrepancyKind, DiscrepancyStatus
from reconciliation.models import Discrepancy
from reconciliation.recheck import recheck
from syncflows.connectors.errors import ConnectorError
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import LineageFact, Run
from tests.factories import comparisons, people
from tests.factories.comparisons import TESTER, compare, counts, deliver
from tests.integration.reconciliation.test_runs import cancel, number_of, only_open, patch_total


@pytest.fixture
def found(customer_id: str, erp: httpx.Client) -> Discrepancy:
    """An order that was altered by hand."""
    deliver("1", "2", customer_id=customer_id)
    patch_total(erp, "opp_1", "90.00")
    compare()
    return only_open()


def test_recheck_of_what_still_differs_says_so_and_updates_both_rows(found, erp):
    patch_total(erp, "opp_1", "80.00")
    answer = recheck(found.public_id, by=TESTER)
    assert not answer.agrees
    assert "USD 80.00 in ERP, USD 100.00 in our record" in answer.message
    assert only_open().fields[0]["theirs"] == "80.00"
    assert Ticket.objects.get().status == TicketStatus.OPEN


def test_recheck_of_what_agrees_resolves_discrepancy_and_ticket_and_tells_the_lineage(found, erp):
    patch_total(erp, "opp_1", "100.00")
    answer = recheck(found.public_id, by=TESTER)
    assert (answer.agrees, answer.discrepancy.status) == (True, DiscrepancyStatus.RESOLVED)
    assert (Ticket.objects.get().status, Ticket.objects.get().resolution) == (
        TicketStatus.RESOLVED,
        Resolution.RECHECKED,
    )
    assert LineageFact.objects.filter(kind=FactKind.RECONCILED).count() == 2
    assert recheck(found.public_id, by=TESTER).agrees  # again: nothing changes
    assert LineageFact.objects.filter(kind=FactKind.RECONCILED).count() == 2


def test_recheck_follows_a_discrepancy_that_became_another_kind(found, erp):
    cancel(erp, "opp_1")
    assert not recheck(found.public_id, by=TESTER).agrees
    assert only_open().kind == DiscrepancyKind.MISSING_IN_TARGET
    assert Ticket.objects.get().reason == "missing_in_target"


def test_recheck_opens_again_what_never_went_away(found, erp):
    patch_total(erp, "opp_1", "100.00")
    recheck(found.public_id, by=TESTER)
    patch_total(erp, "opp_1", "90.00")
    assert not recheck(found.public_id, by=TESTER).agrees
    assert only_open().public_id == found.public_id
    assert Ticket.objects.get(status=TicketStatus.OPEN).subject == f"discrepancy:{found.public_id}"


def test_recheck_of_a_document_without_reference_reads_the_list_again(customer_id, erp):
    number = erp.post("/orders", json=comparisons.order(customer_id, None)).raise_for_status().json()["number"]
    compare()
    assert not recheck(only_open().public_id, by=TESTER).agrees
    erp.post(f"/orders/{number}/cancel").raise_for_status()
    assert recheck(only_open().public_id, by=TESTER).agrees


def test_recheck_of_an_extra_order_and_of_a_duplicate(customer_id, erp):
    deliver("1", customer_id=customer_id)
    for reference in ("opp_1", "opp_77"):
        erp.post("/orders", json=comparisons.order(customer_id, reference)).raise_for_status()
    assert counts(compare()) == {"compared": 2, "missing_in_source": 1, "duplicate": 1, "tickets": 2}
    for key in ("opp_1", "opp_77"):
        found = Discrepancy.objects.get(key=key)
        assert not recheck(found.public_id, by=TESTER).agrees
        cancel(erp, key)
        assert recheck(found.public_id, by=TESTER).agrees


def test_recheck_changes_nothing_while_the_record_is_carried_or_the_target_is_down(found, erp, url):
    Run.objects.filter(canonical_key="1").update(status=RunStatus.RUNNING)
    with pytest.raises(Conflict, match="being carried"):
        recheck(found.public_id, by=TESTER)
    Run.objects.filter(canonical_key="1").update(status=RunStatus.COMPLETED)
    httpx.post(
        f"{url}/_control/faults", json={"system": "erp", "kind": "status", "params": {"status": 503}}, trust_env=False
    ).raise_for_status()
    with pytest.raises(ConnectorError, match="503"):
        recheck(found.public_id, by=TESTER)
    with pytest.raises(Unavailable, match="nothing could be checked"):
        tickets.resolve(found.ticket, resolution=Resolution.CORRECTED, note="Done.", by=people.alice())
    assert only_open() == found
    assert Ticket.objects.get().status == TicketStatus.OPEN


def test_recheck_of_nothing_is_missing(db):
    with pytest.raises(Missing, match="dis_nothing"):
        recheck("dis_nothing", by=TESTER)


def test_resolving_the_ticket_by_hand_is_refused_while_it_differs(found):
    alice = people.alice()
    with pytest.raises(Conflict, match="It still differs"):
        tickets.resolve(found.ticket, resolution=Resolution.CORRECTED, note="Corrected in the ERP.", by=alice)
    assert Ticket.objects.get().status == TicketStatus.OPEN
    assert only_open() == found


def test_resolving_the_ticket_by_hand_is_proven_by_a_recheck(found, erp):
    patch_total(erp, "opp_1", "100.00")
    ended = tickets.resolve(
        found.ticket, resolution=Resolution.CORRECTED, note="Corrected in the ERP.", by=people.alice()
    )
    assert (ended.status, ended.resolution) == (TicketStatus.RESOLVED, Resolution.RECHECKED)
    assert ended.resolution_note.startswith("Corrected in the ERP. Proven")
    found.refresh_from_db()
    assert found.status == DiscrepancyStatus.RESOLVED


def test_resolving_takes_the_ability_before_anything_is_asked(found):
    with pytest.raises(Exception, match="may not"):
        tickets.resolve(found.ticket, resolution=Resolution.WRITTEN_OFF, note="No.", by=people.charlie())
    assert only_open() == found


def test_an_accepted_difference_stays_quiet_until_it_changes(found, erp):
    ended = tickets.resolve(
        found.ticket, resolution=Resolution.ACCEPTED, note="A rebate that the customer got.", by=people.alice()
    )
    assert ended.resolution == Resolution.ACCEPTED
    assert not Discrepancy.objects.filter(status=DiscrepancyStatus.OPEN).exists()
    run = compare()
    assert counts(run) == {"compared": 2, "matched": 1}
    assert run.totals["accepted"] == 1
    patch_total(erp, "opp_1", "70.00")
    assert counts(compare()) == {"compared": 2, "matched": 1, "differs": 1, "tickets": 1}


def test_a_discrepancys_ticket_offers_no_replay(found):
    with pytest.raises(Invalid, match="no record to replay"):
        fixing.replay(found.ticket, reason="Try again.", by=people.alice())
    assert Run.objects.filter(status=RunStatus.PENDING).count() == 0


def test_number_of_is_the_erps_own(found, erp):
    assert found.theirs[0]["id"] == number_of(erp, "opp_1")
