"""Updates of a document that is written: never a second document, never a lost update, whatever fails in between."""

from __future__ import annotations

import httpx

from meshline.kernel import actors
from syncflows.engine import runs
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from tests.integration.engine import deals

DANA = actors.Actor("user", "usr_dana", "Dana")
PATCH = {"path_prefix": "/erp/orders", "method": "PATCH", "count": 1}


def notes(url: str) -> list[str]:
    answer = httpx.get(f"{url}/erp/orders", headers={"Authorization": "Bearer erp-demo-token"}, trust_env=False)
    return [order["notes"] for order in answer.json()["items"]]


def written(erp: str, customer_id: str) -> Run:
    """A run that has written its order, in a flow that updates."""
    deals.define(erp, on_change="update, update: update_order")
    [event] = deals.send(1, customer_id=customer_id, changed="2026-01-01")
    return deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))


def corrected(run: Run, text: str) -> None:
    runs.replay(run.pk, by=DANA, reason="a note", payload={**run.event.payload, "notes": text})  # type: ignore[dict-item]


def test_corrected_replay_that_is_put_off_updates_and_makes_no_second_order(erp: str, customer_id: str) -> None:
    run = written(erp, customer_id)
    deals.fault(erp, "status", **PATCH, params={"status": 503})

    corrected(run, "ring twice")
    deals.carry(until=RunStatus.COMPLETED, run=run)

    assert notes(erp) == ["ring twice"]


def test_newer_event_after_a_corrected_replay_updates_the_same_order(erp: str, customer_id: str) -> None:
    run = written(erp, customer_id)
    corrected(run, "ring twice")
    deals.carry(until=RunStatus.COMPLETED, run=run)
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="ring once")

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))

    assert notes(erp) == ["ring once"]


def test_update_by_a_newer_event_that_is_put_off_is_tried_again(erp: str, customer_id: str) -> None:
    written(erp, customer_id)
    deals.fault(erp, "status", **PATCH, params={"status": 503})
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="ring once")

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))

    assert notes(erp) == ["ring once"]


def test_update_cut_off_is_not_taken_for_done_because_its_order_exists(erp: str, customer_id: str) -> None:
    written(erp, customer_id)
    deals.fault(erp, "cut_before_commit", **PATCH)
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="ring once")

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))

    assert notes(erp) == ["ring once"]


def test_content_that_returns_to_what_it_was_is_written(erp: str, customer_id: str) -> None:
    written(erp, customer_id)
    for day, text in (("2026-01-02", "ring once"), ("2026-01-03", "")):
        [event] = deals.send(1, customer_id=customer_id, changed=day, notes=text)
        deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))

    assert notes(erp) == [""]


def test_newer_event_takes_over_an_update_that_was_refused(erp: str, customer_id: str) -> None:
    run = written(erp, customer_id)
    deals.fault(erp, "status", **PATCH, params={"status": 422})
    corrected(run, "ring twice")
    deals.carry(until=RunStatus.FAILED, run=run)
    [newer] = deals.send(1, customer_id=customer_id, changed="2026-01-02", notes="ring once")

    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(newer))

    assert notes(erp) == ["ring once"]
