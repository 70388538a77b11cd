"""The judge of the fault run: silent about what is right, and never silent about what is wrong."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bench.chaos.enums import Fault
from bench.chaos.verdict import Accepted, Attempt, Order, RunSeen, StepSeen, Verdict, judge

OLDER = Accepted("E1-0", "D1", "2026-01-01T00:00:00+00:00", Decimal("10.00"))
NEWER = Accepted("E1-1", "D1", "2026-01-01T00:00:01+00:00", Decimal("20.00"))
TOLD = ("contract", "canonical", "policy", "plan", "intended", "sent", "answered", "completed")
ORDER = Order("D1", "SO-000001", Decimal("20.00"))


def completed(event: Accepted, *, first: int) -> RunSeen:
    facts = tuple(enumerate(("received", *TOLD), start=first))
    return RunSeen(
        event.event_id, "completed", facts, (StepSeen("create-order", "done", (Attempt(1, "acknowledged"),)),)
    )


OLDER_RUN, NEWER_RUN = completed(OLDER, first=1), completed(NEWER, first=101)


def verdict(
    *runs: RunSeen, orders: tuple[Order, ...] = (ORDER,), accepted: tuple[Accepted, ...] = (OLDER, NEWER)
) -> Verdict:
    return judge(accepted, runs, orders)


def only(found: Verdict, fault: Fault) -> list[str]:
    """The sentences of that fault; nothing else is said."""
    assert {name for name, sentences in found.found.items() if sentences} == {fault}
    return found.found[fault]


def test_judge_says_nothing_of_a_run_that_kept_its_promises() -> None:
    found = verdict(OLDER_RUN, NEWER_RUN)
    assert found.holds
    assert found.counts() == {"lost": 0, "duplicated": 0, "out_of_order": 0, "unexplained": 0}


def test_judge_accepts_an_older_event_that_came_late_and_was_superseded() -> None:
    late = RunSeen(OLDER.event_id, "superseded", ((201, "received"), (202, "contract"), (203, "superseded")))
    assert verdict(NEWER_RUN, late).holds


def test_judge_accepts_an_order_adopted_after_a_probe() -> None:
    facts = tuple((number, "probed" if kind == "answered" else kind) for number, kind in NEWER_RUN.facts)
    assert verdict(OLDER_RUN, replace(NEWER_RUN, facts=facts)).holds


def test_judge_names_an_accepted_event_without_a_run() -> None:
    assert only(verdict(NEWER_RUN), Fault.LOST) == ["E1-0 was accepted and has no run"]


@pytest.mark.parametrize("status", ["pending", "running", "retrying"])
def test_judge_names_a_run_that_never_came_to_rest(status: str) -> None:
    found = only(
        verdict(
            OLDER_RUN,
            RunSeen(NEWER.event_id, status, ((101, "received"),)),
            orders=(replace(ORDER, total=OLDER.total),),
        ),
        Fault.LOST,
    )
    assert found == [f"E1-1: its run is {status}, neither ended nor parked"]


def test_judge_names_a_completed_deal_that_the_ledger_does_not_have() -> None:
    assert only(verdict(OLDER_RUN, NEWER_RUN, orders=()), Fault.LOST) == [
        "D1 is completed and the ERP has no such order"
    ]


def test_judge_names_an_order_that_is_there_twice() -> None:
    found = verdict(OLDER_RUN, NEWER_RUN, orders=(ORDER, replace(ORDER, number="SO-000002")))
    assert only(found, Fault.DUPLICATED) == ["D1 is in the ERP 2 times: SO-000001, SO-000002"]


def test_judge_names_an_order_nobody_sent() -> None:
    found = verdict(OLDER_RUN, NEWER_RUN, orders=(ORDER, Order("D9", "SO-9", Decimal(1))))
    assert only(found, Fault.DUPLICATED) == ["D9 is in the ERP and nobody sent it"]


def test_judge_names_a_run_that_ended_twice() -> None:
    found = verdict(OLDER_RUN, replace(NEWER_RUN, facts=(*NEWER_RUN.facts, (150, "completed"))))
    assert only(found, Fault.DUPLICATED) == ["E1-1: its lineage ends 2 times"]


def test_judge_names_an_event_with_two_runs() -> None:
    assert "E1-1 has 2 runs" in verdict(OLDER_RUN, NEWER_RUN, NEWER_RUN).found[Fault.DUPLICATED]


def test_judge_names_an_older_state_that_won() -> None:
    found = only(verdict(OLDER_RUN, NEWER_RUN, orders=(replace(ORDER, total=OLDER.total),)), Fault.OUT_OF_ORDER)
    assert found == ["D1: the ERP says 10.00, the newest event (2026-01-01T00:00:01+00:00) 20.00"]


def test_judge_names_an_older_event_completed_after_a_newer_one() -> None:
    found = only(verdict(completed(OLDER, first=301), NEWER_RUN), Fault.OUT_OF_ORDER)
    assert found == ["D1: an older event was completed after a newer one"]


def test_judge_names_a_newest_event_that_was_superseded() -> None:
    late = RunSeen(NEWER.event_id, "superseded", ((201, "received"), (202, "superseded")))
    assert only(verdict(OLDER_RUN, late), Fault.OUT_OF_ORDER) == ["E1-1 is the newest of D1 and was superseded"]


@pytest.mark.parametrize("kind", ["received", "contract", "canonical", "plan", "completed"])
def test_judge_names_each_fact_a_completed_run_lacks(kind: str) -> None:
    gap = replace(OLDER_RUN, facts=tuple(fact for fact in OLDER_RUN.facts if fact[1] != kind))
    assert f"E1-0 is completed and its lineage lacks {kind}" in verdict(gap, NEWER_RUN).found[Fault.UNEXPLAINED]


def test_judge_names_a_write_that_nothing_tells_of() -> None:
    gap = replace(NEWER_RUN, facts=tuple(fact for fact in NEWER_RUN.facts if fact[1] not in ("answered", "sent")))
    assert len(only(verdict(OLDER_RUN, gap), Fault.UNEXPLAINED)) == 2


def test_judge_accepts_an_attempt_that_its_worker_did_not_live_to_send() -> None:
    steps = (StepSeen("create-order", "done", (Attempt(1, "not_sent", sent=False), Attempt(2, "acknowledged"))),)
    assert verdict(OLDER_RUN, replace(NEWER_RUN, steps=steps)).holds


@pytest.mark.parametrize(("tickets", "holds"), [(0, False), (1, True), (2, False)])
def test_judge_wants_exactly_one_ticket_for_a_parked_run(tickets: int, holds: bool) -> None:
    parked = RunSeen(NEWER.event_id, "failed", ((101, "received"), (102, "failed")), live_tickets=tickets)
    found = verdict(OLDER_RUN, parked, orders=(replace(ORDER, total=OLDER.total),))
    assert found.holds is holds


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (
            StepSeen("create-order", "unknown", (Attempt(1, "acknowledged"),)),
            "is completed and its step create-order is unknown",
        ),
        (StepSeen("create-order", "done", (Attempt(2, "acknowledged"),)), "attempts of create-order are [2]"),
        (StepSeen("create-order", "done", (Attempt(1, "sent"),)), "attempts [1] of create-order are not decided"),
    ],
)
def test_judge_names_steps_and_attempts_left_open(step: StepSeen, says: str) -> None:
    found = only(verdict(OLDER_RUN, replace(NEWER_RUN, steps=(step,))), Fault.UNEXPLAINED)
    assert len(found) == 1
    assert says in found[0]
