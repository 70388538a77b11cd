"""Gates asked by the sweeper's worker; approvals by four eyes, every way around them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from meshline.kernel import actors
from meshline.kernel.errors import Conflict, NotAllowed
from ownership.enums import Role
from ownership.models import User
from syncflows.engine import runs
from syncflows.engine.enums import FactKind, GateState, StagedStatus
from syncflows.engine.models import LineageFact, Run
from syncflows.engine.soft import acts, batches, gating
from syncflows.engine.soft.models import StagedDocument
from tests.factories import people
from tests.integration.engine import deals, soft_deals

LEADERS = "{approved: {team: sales-leaders}}"


def later(*rows: StagedDocument, **past: float) -> None:
    """As if these were staged so long ago, and asked now."""
    then = timezone.now() - timedelta(**past)
    StagedDocument.objects.filter(pk__in=soft_deals.ids(rows)).update(staged_at=then, gate_due_at=timezone.now())


def fresh(row: StagedDocument) -> StagedDocument:
    return StagedDocument.objects.select_related("run").get(pk=row.pk)


def sam() -> User:
    return User.objects.get(username="sam")


def bob(name: str = "Bob Brown") -> User:
    found = people.person(name, role=Role.SALES_LEADER)
    people.team("sales-leaders", found)
    return found


def test_age_promotes_by_itself_and_the_verdict_is_a_fact(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion="{age: 24h}")
    young, old = soft_deals.staged(*soft_deals.send(1, 2, customer_id=customer_id))
    later(old, hours=25)
    later(young, hours=1)
    assert gating.due()

    found = gating.ask()
    soft_deals.drain()

    assert (found.judged, found.opened, found.promoted) == (2, 1, 1)
    assert [order["external_id"] for order in deals.orders(erp)] == ["D2"]
    assert (fresh(young).gate_state, fresh(old).status) == (GateState.WAITING, StagedStatus.PROMOTED)
    assert fresh(old).decided_by == "Meshline (gate)"
    told = LineageFact.objects.filter(run_id=old.run_id, kind=FactKind.GATE).get()
    assert told.detail["gates"] == [{"gate": "age", "holds": True, "why": "age: staged for 24h or longer"}]
    assert not gating.due()


def test_reconciled_adopts_what_is_there_writes_what_is_missing_and_keeps_what_differs(
    erp: str, customer_id: str
) -> None:
    soft_deals.define(erp, promotion="{reconciled: {}}")
    soft_deals.order(erp, 1, customer_id=customer_id)
    soft_deals.order(erp, 2, customer_id=customer_id, total="90.00")
    there, other, missing = soft_deals.staged(*soft_deals.send(1, 2, 3, customer_id=customer_id))

    gating.ask()
    soft_deals.drain()

    assert [fresh(row).status for row in (there, other, missing)] == ["promoted", "staged", "promoted"]
    assert (fresh(other).gate_state, fresh(other).verdict) == (GateState.SHUT, "differs")
    assert (fresh(there).decision, fresh(missing).decision) == ("adopt", "promote")
    assert sorted((item["external_id"], item["total"]) for item in deals.orders(erp)) == [
        ("D1", "100.00"), ("D2", "90.00"), ("D3", "100.00"),
    ]  # fmt: skip


def test_a_target_that_cannot_be_asked_is_asked_again_later(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion="{reconciled: {}}")
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id))
    deals.fault(erp, "status", path_prefix="/erp/orders", method="GET", count=20, params={"status": 503})
    gating.ask()

    found = fresh(row)
    assert (found.status, found.gate_state) == (StagedStatus.STAGED, GateState.WAITING)
    assert found.gate_due_at
    assert found.gate_due_at > timezone.now() + timedelta(minutes=3)
    assert "503" in found.gate_reason or "not compared" in found.gate_reason


def test_gates_leave_imported_history_alone_unless_the_flow_says_so(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion="{age: 24h}")
    [kept] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="a"))
    soft_deals.define(erp, promotion="{age: 24h, imports: true}")
    [gated] = soft_deals.staged(*soft_deals.send(2, customer_id=customer_id, batch="b"))
    StagedDocument.objects.filter(pk=kept.pk).update(staged_at=timezone.now() - timedelta(hours=30))
    later(gated, hours=30)
    gating.ask()
    soft_deals.drain()
    assert (fresh(kept).status, fresh(gated).status) == (StagedStatus.STAGED, StagedStatus.PROMOTED)
    assert fresh(kept).gate_state == GateState.BY_HAND


def test_an_approval_opens_the_gate_and_nothing_goes_around_it(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion=LEADERS)
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id))
    gating.ask()
    assert (fresh(row).gate_state, fresh(row).gate_due_at) == (GateState.WAITING, None)
    [by_hand] = acts.promote([row.pk], by=people.alice(), reason="hurry")
    assert by_hand.code == "needs_approval"

    acts.approve([row.pk], by=sam(), reason="looked at it")
    gating.ask()
    soft_deals.drain()

    found = fresh(row)
    assert (found.status, found.approved_by, found.approved_fingerprint) == ("promoted", sam(), found.fingerprint)
    assert [
        kind
        for kind in LineageFact.objects.filter(run_id=row.run_id).values_list("kind", flat=True)
        if kind in ("decision", "gate")
    ]
    with pytest.raises(Conflict):
        acts.only(acts.approve([row.pk], by=sam(), reason="again"))


def test_an_approval_of_other_content_does_not_count(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion=LEADERS)
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id))
    acts.approve([row.pk], by=sam(), reason="fine")
    StagedDocument.objects.filter(pk=row.pk).update(approved_fingerprint="0" * 64, gate_due_at=timezone.now())
    gating.ask()
    [result] = acts.promote([row.pk], by=people.alice(), reason="x")
    assert (fresh(row).status, result.code) == (StagedStatus.STAGED, "needs_approval")


def code_of(row: StagedDocument, user: User) -> str:
    [result] = acts.approve([row.pk], by=user, reason="fine")
    return result.code


def test_four_eyes_whichever_way_round(erp: str, customer_id: str) -> None:
    """Not who imported, not who asked, not who corrected, not who is no member, not who may not decide."""
    soft_deals.define(erp, promotion=LEADERS)
    importer, asker, corrector, outsider = bob("Ida Imports"), bob("Ash Asks"), bob("Cory Corrects"), people.bob()
    [imported] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="b"))
    batches.begin("b", by=actors.of(importer))
    assert code_of(imported, importer) == "four_eyes"

    [asked] = soft_deals.staged(*soft_deals.send(2, customer_id=customer_id, agent=f"  {asker.email.upper()} "))
    assert code_of(asked, asker) == "four_eyes"

    [run] = soft_deals.send(3, customer_id=customer_id)
    payload = {"deal_id": "D3", "customer_id": customer_id, "amount": "120.00"}
    runs.replay(run.pk, by=actors.of(corrector), reason="typo", payload=payload)
    soft_deals.drain()
    corrected = StagedDocument.objects.get(run=run, status="staged")
    assert corrected.document["total"] == "120.00"
    assert code_of(corrected, corrector) == "four_eyes"

    assert code_of(asked, outsider) == "not_in_team"
    for nobody in (people.alice(), people.charlie()):
        with pytest.raises(NotAllowed):
            acts.approve([asked.pk], by=nobody, reason="x")
    assert not StagedDocument.objects.filter(approved_at__isnull=False).exists()
    admin = people.person("Ada Admin", role=Role.ADMIN)
    assert code_of(imported, admin) == ""
    assert [code_of(row, other) for row, other in ((asked, importer), (corrected, asker))] == ["", ""]


def test_who_imports_into_anothers_import_may_not_approve_either(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion=LEADERS)
    first, second = bob(), bob()
    batches.begin("b", by=actors.of(first))
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id, batch="b"))
    batches.begin("b", by=actors.of(second))
    assert [code_of(row, user) for user in (first, second)] == ["four_eyes", "four_eyes"]


def test_a_gate_that_is_taken_away_leaves_it_to_people(erp: str, customer_id: str) -> None:
    soft_deals.define(erp, promotion="{age: 24h}")
    [row] = soft_deals.staged(*soft_deals.send(1, customer_id=customer_id))
    soft_deals.define(erp)
    gating.ask()
    assert (fresh(row).gate_state, fresh(row).gate_due_at) == (GateState.BY_HAND, None)
    assert Run.objects.get().hold_reason == "staged"
