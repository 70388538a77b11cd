"""What errors and probes mean for a write: nothing that may have happened is ever called "did not happen"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshline.kernel.errors import MeshlineError
from syncflows.connectors import errors as far
from syncflows.connectors.protocol import Answer
from syncflows.engine import outcomes
from syncflows.engine.retry import Budget
from syncflows.enums import ExceptionClass
from syncflows.governance.schemas.retries import Retry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def of(error: MeshlineError, *, tries: int = 1, part_done: bool = False) -> Any:
    return outcomes.of_error(
        error, budget=Budget(Retry(max_attempts=5), tries=tries), now=NOW, part_done=part_done, system="erp"
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (far.OutcomeUnknown("x"), outcomes.Unknown),
        (far.Duplicate("x"), outcomes.Unknown),
        (far.Transient("x"), outcomes.Again),
        (far.RateLimited("x", retry_after_s=9), outcomes.Again),
        (far.Outage("x"), outcomes.Again),
        (far.AuthRefused("x"), outcomes.Again),
        (far.Rejected("x"), outcomes.GiveUp),
        (far.NotFound("x"), outcomes.GiveUp),
        (far.Accounting("x"), outcomes.GiveUp),
        (far.Misconfigured("x"), outcomes.GiveUp),
    ],
)
def test_of_error(error: MeshlineError, kind: type) -> None:
    assert isinstance(of(error), kind)


@pytest.mark.parametrize("tries", [1, 5, 500])
def test_outages_wait_for_ever_and_unknown_stays_unknown(tries: int) -> None:
    assert of(far.Outage("x"), tries=tries).outage
    assert isinstance(of(far.OutcomeUnknown("x"), tries=tries), outcomes.Unknown)


def test_retries_run_out_only_for_what_did_not_happen() -> None:
    assert of(far.Transient("x"), tries=5).reason == "retries_exhausted"
    assert of(far.RateLimited("x", retry_after_s=60)).due_at >= NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("error", "part_done", "expected"),
    [
        (far.Rejected("x"), False, ExceptionClass.DATA_QUALITY),
        (far.Rejected("x"), True, ExceptionClass.PARTIAL),
        (far.Accounting("x"), True, ExceptionClass.ACCOUNTING),
        (far.Misconfigured("x"), True, ExceptionClass.INTERNAL),
    ],
)
def test_class_of_what_is_given_up(error: MeshlineError, part_done: bool, expected: ExceptionClass) -> None:
    given_up = of(error, part_done=part_done)
    assert given_up.exception_class == expected
    assert given_up.remedy


def probe(*ids: str, after_s: float) -> Any:
    answers = [Answer(external_id=ident, document={}) for ident in ids]
    return outcomes.of_probe(
        answers, sent_at=NOW, settle_s=15, now=NOW + timedelta(seconds=after_s), reference="D1", system="erp"
    )


def test_probe_adopts_waits_and_only_then_lets_send() -> None:
    assert probe("SO-1", after_s=0).found
    assert probe(after_s=14.9).due_at == NOW + timedelta(seconds=15)
    assert isinstance(probe(after_s=15), outcomes.NotThere)


def test_probe_that_finds_two_is_a_duplicate() -> None:
    found = probe("SO-1", "SO-2", after_s=0)
    assert (found.exception_class, found.reason) == (ExceptionClass.DUPLICATE, "reference_found_twice")
    assert "SO-1, SO-2" in found.message
