"""Gates are pure: every combination of what is asked and what is known, and when to ask again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from syncflows.engine.enums import GateState, StagedVerdict
from syncflows.engine.soft import gates
from syncflows.engine.soft.gates import Known
from syncflows.governance.schemas.flows import Flow, Promotion

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KNOWN = Known(fingerprint="f1", staged_at=NOW - DAY)
MATCHED = {"verdict": "matched", "verdict_at": NOW - HOUR}
APPROVED = {"approved_fingerprint": "f1", "approved_by": "Sam"}


def promotion(**values: Any) -> Promotion:
    return Promotion.model_validate(values)


def state(asked: Promotion, **known: Any) -> GateState:
    return gates.judge(asked, replace(KNOWN, **known), now=NOW).state


RECONCILED = promotion(reconciled={})
BY_SAM = promotion(approved={"team": "leaders"})
AGED = promotion(age="24h")


@pytest.mark.parametrize("verdict", StagedVerdict.values)
def test_reconciled_opens_for_what_is_expected_only(verdict: str) -> None:
    known = {"verdict": verdict, "verdict_at": NOW - HOUR}
    expected = GateState.OPEN if verdict in ("matched", "missing") else GateState.SHUT
    assert state(RECONCILED, **known) == expected
    only = promotion(reconciled={"expect": ["missing"]})
    assert state(only, **known) == (GateState.OPEN if verdict == "missing" else GateState.SHUT)


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(0), GateState.OPEN),
        (DAY - timedelta(seconds=1), GateState.OPEN),
        (DAY, GateState.WAITING),
        (2 * DAY, GateState.WAITING),
    ],
)
def test_a_comparison_counts_for_as_long_as_the_flow_says(age: timedelta, found: GateState) -> None:
    known = replace(KNOWN, verdict="matched", verdict_at=NOW - age)
    assert gates.judge(RECONCILED, known, now=NOW).state == found
    assert gates.needs_comparison(RECONCILED, known, now=NOW) == (found == GateState.WAITING)


def test_what_was_never_compared_is_asked_at_once() -> None:
    verdict = gates.judge(RECONCILED, KNOWN, now=NOW)
    assert (verdict.state, verdict.ask_at) == (GateState.WAITING, NOW)
    assert gates.needs_comparison(RECONCILED, KNOWN, now=NOW)
    assert not gates.needs_comparison(BY_SAM, KNOWN, now=NOW)


def test_what_differs_is_asked_again_when_the_comparison_is_old() -> None:
    verdict = gates.judge(RECONCILED, replace(KNOWN, verdict="differs", verdict_at=NOW), now=NOW)
    assert (verdict.state, verdict.ask_at) == (GateState.SHUT, NOW + DAY)
    assert "different" in verdict.reason


@pytest.mark.parametrize(
    ("fingerprint", "found"), [("", GateState.WAITING), ("f0", GateState.WAITING), ("f1", GateState.OPEN)]
)
def test_an_approval_counts_for_its_fingerprint_only(fingerprint: str, found: GateState) -> None:
    verdict = gates.judge(BY_SAM, replace(KNOWN, approved_fingerprint=fingerprint, approved_by="Sam"), now=NOW)
    assert (verdict.state, verdict.ask_at) == (found, None)


@pytest.mark.parametrize(
    ("age", "found"),
    [(DAY - timedelta(seconds=1), GateState.WAITING), (DAY, GateState.OPEN), (9 * DAY, GateState.OPEN)],
)
def test_age_opens_at_its_moment(age: timedelta, found: GateState) -> None:
    verdict = gates.judge(AGED, replace(KNOWN, staged_at=NOW - age), now=NOW)
    assert verdict.state == found
    assert verdict.ask_at == (None if found == GateState.OPEN else NOW - age + DAY)


@pytest.mark.parametrize(
    ("match", "compared", "approved", "aged"),
    list(product(["all", "any"], ["", "matched", "differs"], [False, True], [False, True])),
)
def test_all_and_any_over_every_combination(match: str, compared: str, approved: bool, aged: bool) -> None:
    asked = promotion(match=match, reconciled={}, approved={"team": "leaders"}, age="24h")
    known = replace(
        KNOWN, verdict=compared, verdict_at=NOW - HOUR if compared else None, approved_fingerprint="f1" if approved else "",
        staged_at=NOW - (2 * DAY if aged else HOUR),
    )  # fmt: skip
    holds = [compared == "matched", approved, aged]
    verdict = gates.judge(asked, known, now=NOW)
    if all(holds) if match == "all" else any(holds):
        assert (verdict.state, verdict.ask_at) == (GateState.OPEN, None)
    elif match == "all" and compared == "differs":
        assert verdict.state == GateState.SHUT
    else:
        assert verdict.state == GateState.WAITING
    assert len(verdict.gates) == 3
    assert verdict.reason.count(";") == 2


def test_the_next_asking_is_the_first_that_may_help() -> None:
    asked = promotion(approved={"team": "leaders"}, age="48h", reconciled={})
    known = replace(KNOWN, verdict="matched", verdict_at=NOW - HOUR)
    assert gates.judge(asked, known, now=NOW).ask_at == NOW + DAY


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"match": "all"}, {"imports": True}, {"age": "soon"}, {"age": "24"}, {"reconciled": {"expect": []}}, {"reconciled": {"expect": ["differs"]}},
        {"approved": {}}, {"approved": {"team": "No Team"}}, {"match": "some", "age": "1h"}, {"age": "1h", "gate": "x"},
    ],
)  # fmt: skip
def test_gates_that_mean_nothing_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        promotion(**bad)


def test_a_flow_writes_directly_unless_it_says_otherwise() -> None:
    flow = Flow.model_validate({"trigger": {"contract": "c"}, "mapping": "m"})
    assert (flow.commit, flow.promotion) == ("direct", None)
    with pytest.raises(ValidationError):
        Flow.model_validate({"trigger": {"contract": "c"}, "mapping": "m", "commit": "softly"})
