from __future__ import annotations

import pytest

from syncflows.connectors import errors
from syncflows.engine.limits import verdicts
from syncflows.engine.limits.verdicts import Verdict

FOUND = {"status": 422}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, Verdict.WELL),
        (errors.Rejected("no", context=FOUND), Verdict.WELL),
        (errors.Accounting("closed"), Verdict.WELL),
        (errors.Duplicate("twice"), Verdict.WELL),
        (errors.NotFound("gone"), Verdict.WELL),
        (errors.Transient("locked", context={"status": 423}), Verdict.WELL),
        (errors.Transient("unavailable", context={"status": 503}), Verdict.FAILED),
        (errors.Transient("no answer", code="timed_out"), Verdict.FAILED),
        (errors.OutcomeUnknown("cut off"), Verdict.FAILED),
        (errors.Outage("refused"), Verdict.UNREACHABLE),
        (errors.AuthRefused("401", context={"status": 401}), Verdict.UNREACHABLE),
        (errors.RateLimited("slow down", retry_after_s=5), Verdict.BUSY),
        (errors.Misconfigured("no such operation"), Verdict.NOTHING),
        (ValueError("a defect"), Verdict.NOTHING),
        *[(errors.Transient("ours", code=code), Verdict.NOTHING) for code in sorted(errors.OURS)],
    ],
)
def test_of_error_says_what_counts(error: BaseException | None, verdict: Verdict) -> None:
    assert verdicts.of_error(error) == verdict


@pytest.mark.parametrize(
    ("error", "quiet_s"),
    [
        (errors.RateLimited("slow down", retry_after_s=5), 5),
        (errors.RateLimited("slow down"), 0),
        (errors.RateLimited("ours", code="own_rate_limit", retry_after_s=5), 0),
        (errors.Transient("unavailable", retry_after_s=7, context={"status": 503}), 7),
        (errors.Transient("locked", retry_after_s=7, context={"status": 423}), 0),
        (errors.Rejected("no"), 0),
        (None, 0),
    ],
)
def test_quiet_s_holds_for_429_and_503_only(error: BaseException | None, quiet_s: float) -> None:
    assert verdicts.quiet_s(error) == quiet_s
