"""The engine and the exception desk together: a policy holds, a person decides, the run goes on. Definitions as a user writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exceptions import approvals, bulk, fixing, selectors
from exceptions.enums import ApprovalStatus, BulkAction, Resolution, TicketStatus
from exceptions.models import Approval, Ticket
from meshline.kernel import actors
from meshline.kernel.errors import NotAllowed
from ownership.models import Team, User
from syncflows.engine import batch, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.engine.enums import EventStatus, RunStatus
from syncflows.engine.models import Event, Run
from syncflows.enums import ExceptionClass
from syncflows.governance import apply, catalog, files
from tests.factories import people

pytestmark = pytest.mark.django_db(transaction=True)

DEFINITIONS = """
apiVersion: meshline/v1
kind: System
metadata: {name: crm, title: CRM}
spec: {connector: http}
---
apiVersion: meshline/v1
kind: Contract
metadata: {name: quote}
spec:
  version: 1.0.0
  system: crm
  types: [quote.approved]
  object: quote
  read: {price: decimal, list: decimal}
  key: payload.id
  sequence: default(payload, 'at', '')
  schema: {type: object, required: [id, price, list]}
---
apiVersion: meshline/v1
kind: Mapping
metadata: {name: quote-order}
spec:
  contract: quote
  object: order
  fields: {number: payload.id, price: payload.price, list: payload.list}
  amount: order.price
  currency: "'EUR'"
  customer: default(payload, 'customer', '')
  requester: default(payload, 'agent', '')
---
apiVersion: meshline/v1
kind: Policy
metadata: {name: prices}
spec:
  object: order
  rules:
    - name: discount-cap
      when: lt(order.price, mul(order.list, '0.9'))
      verdict: needs_approval
      reason: discount_above_cap
      message: "'Discount above 10 %'"
      binds: {price: order.price, list: order.list}
      approvers: sales-leaders
    - name: price-window
      when: gt(order.price, mul(order.list, '1.1'))
      verdict: hold
      reason: price_above_list
      message: "'Price above list by more than 10 %'"
      binds: {price: order.price, list: order.list}
---
apiVersion: meshline/v1
kind: Flow
metadata: {name: quotes}
spec: {trigger: {contract: quote}, mapping: quote-order, policies: [prices]}
---
apiVersion: meshline/v1
kind: Person
metadata: {name: sam}
spec: {name: Sam Okafor, role: sales_leader, email: sam@example.test}
---
apiVersion: meshline/v1
kind: Person
metadata: {name: dana}
spec: {name: Dana Levy, role: finance_ops}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: sales-leaders, title: Sales leaders}
spec: {members: [sam], on_call: sam}
---
apiVersion: meshline/v1
kind: Team
metadata: {name: finance-ops, title: Finance ops}
spec: {members: [dana], on_call: dana}
---
apiVersion: meshline/v1
kind: Owners
metadata: {name: quotes}
spec:
  flow: quotes
  sync_owner: {person: dana}
  source_owner: {team: sales-leaders}
  sink_owner: {person: dana, team: finance-ops}
  platform_owner: {person: dana}
---
apiVersion: meshline/v1
kind: Route
metadata: {name: default}
spec:
  rules:
    - {name: approvals, when: "failure.reason == 'discount_above_cap'", queue: sales-leaders, resolve_within: 1d}
"""


@pytest.fixture(autouse=True)
def _defined(tmp_path: Path) -> None:
    (tmp_path / "quotes.yaml").write_text(DEFINITIONS)
    summary = apply.apply(files.load(tmp_path), by=actors.system("tests"))
    assert not summary.problems, summary.problems


def _send(ident: str, price: str, **values: Any) -> Event:
    """Accept a quote at a list price of 100 and carry it to rest."""
    arrival = Arrival(
        source="crm", type="quote.approved", payload={"id": ident, "price": price, "list": "100", **values}
    )
    [receipt] = ingest.accept([arrival], catalog=catalog.current())
    _work()
    return Event.objects.get(public_id=receipt.public_id)


def _work() -> None:
    while batch.work():
        pass


def _run(event: Event) -> Run:
    return Run.objects.get(event=event)


def test_a_discount_waits_for_approval_and_goes_on_when_granted() -> None:
    event = _send("Q1", "80", agent="Rita Rep", customer="Acme")
    run, approval = _run(event), Approval.objects.select_related("ticket", "team").get()
    assert (run.status, approval.requester, approval.team.name) == (RunStatus.HELD, "Rita Rep", "sales-leaders")
    assert (approval.ticket.queue.name, approval.ticket.customer, approval.ticket.sla_minutes) == (
        "sales-leaders",
        "Acme",
        24 * 60,
    )
    approvals.grant(approval, by=User.objects.get(username="sam"), reason="Launch customer.")
    _work()
    assert _run(event).status == RunStatus.COMPLETED
    assert Ticket.objects.get().resolution == Resolution.APPROVED
    kinds = [fact.kind for fact in selectors.detail(approval.ticket.public_id).lineage]
    assert kinds.index("ticket") < kinds.index("decision") < kinds.index("completed")


def test_a_refused_discount_closes_the_run() -> None:
    event = _send("Q2", "80")
    approvals.refuse(Approval.objects.get(), by=User.objects.get(username="sam"), reason="Too deep.")
    _work()
    assert _run(event).status == RunStatus.CANCELLED


def test_the_requester_never_approves() -> None:
    event = _send("Q3", "80", agent="SAM@example.test")
    with pytest.raises(NotAllowed, match="which is you"):
        approvals.grant(Approval.objects.get(), by=User.objects.get(username="sam"), reason="Mine.")
    assert _run(event).status == RunStatus.HELD


def test_a_corrected_price_is_asked_anew() -> None:
    event = _send("Q4", "80")
    dana, sam = User.objects.get(username="dana"), User.objects.get(username="sam")
    fixing.fix_and_replay(
        Ticket.objects.get(),
        payload={"id": "Q4", "price": "70", "list": "100"},
        reason="The customer asked for more.",
        by=dana,
    )
    _work()
    first, second = Approval.objects.order_by("pk")
    assert (first.status, second.status, second.bound["price"]) == (ApprovalStatus.VOID, ApprovalStatus.PENDING, "70")
    approvals.grant(second, by=sam, reason="Fine.")
    _work()
    assert _run(event).status == RunStatus.COMPLETED


def test_a_price_above_list_goes_on_when_accepted_in_bulk() -> None:
    events = [_send(f"Q{number}", "150") for number in range(10, 13)]
    waiting = Ticket.objects.filter(reason="price_above_list")
    assert {(ticket.owner and ticket.owner.username, ticket.queue.name) for ticket in waiting} == {
        ("dana", "finance-ops")
    }
    results = bulk.perform(waiting, BulkAction.ACCEPT, by=User.objects.get(username="dana"), reason="Agreed.")
    _work()
    assert [result.problem for result in results] == ["", "", ""]
    assert {_run(event).status for event in events} == {RunStatus.COMPLETED}
    assert set(Ticket.objects.values_list("resolution", flat=True)) == {Resolution.ACCEPTED}


def test_newer_data_supersedes_the_run_that_waits_and_voids_its_approval() -> None:
    old = _send("Q20", "80", at="2026-11-01")
    new = _send("Q20", "100", at="2026-11-02")
    assert (_run(old).status, _run(new).status) == (RunStatus.SUPERSEDED, RunStatus.COMPLETED)
    assert Approval.objects.get().status == ApprovalStatus.VOID
    assert Ticket.objects.get().resolution == Resolution.SUPERSEDED


def test_a_quarantined_event_is_fixed_and_its_corrector_may_not_approve_it() -> None:
    event = _send("Q30", "not a price")
    ticket = Ticket.objects.get()
    assert (event.status, ticket.subject, ticket.exception_class) == (
        EventStatus.QUARANTINED,
        f"event:{event.public_id}",
        ExceptionClass.DATA_QUALITY,
    )
    rob = people.person("Rob Revops", role="flow_owner")
    Team.objects.get(name="sales-leaders").members.add(rob)
    fixing.fix_and_replay(
        ticket,
        payload={"id": "Q30", "price": "80", "list": "100"},
        reason="A word stood where the price belongs.",
        by=rob,
    )
    _work()
    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == (TicketStatus.RESOLVED, Resolution.REPLAYED)
    approval = Approval.objects.get()
    with pytest.raises(NotAllowed, match="You corrected the record"):
        approvals.grant(approval, by=rob, reason="Mine.")
    approvals.grant(approval, by=User.objects.get(username="sam"), reason="Fine.")
    _work()
    assert Run.objects.get(event__canonical_key="Q30", event__status=EventStatus.ACCEPTED).status == RunStatus.COMPLETED


def test_a_fix_that_is_still_malformed_changes_nothing() -> None:
    _send("Q40", "not a price")
    ticket = Ticket.objects.get()
    with pytest.raises(Exception, match="cannot be released"):
        fixing.fix_and_replay(
            ticket,
            payload={"id": "Q40", "price": "still not", "list": "100"},
            reason="Try.",
            by=User.objects.get(username="dana"),
        )
    ticket.refresh_from_db()
    assert (ticket.status, ticket.entries.count()) == (TicketStatus.OPEN, 1)
    assert Ticket.objects.count() == 1
