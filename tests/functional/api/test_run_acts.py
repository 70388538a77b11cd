"""Acts on runs over the API: one and many, with preview, once by an Idempotency-Key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from tests.factories import records
from tests.functional.api.conftest import Api


def later(**values: object) -> Run:
    return records.run(status=RunStatus.RETRYING, due_at=timezone.now() + timedelta(hours=1), tries=2, **values)


def test_one_act_answers_the_run_as_it_is_then_and_is_done_once(api: Api) -> None:
    run, client = later(), api("runs:write")
    answers = [
        client.post(f"runs/{run.public_id}/pause/", json={"reason": "audit"}, headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (answers[0].json()["status"], answers[0].json()["hold_reason"]) == ("held", "paused")
    assert Run.objects.get(pk=run.pk).human_actions == 1
    assert client.post(f"runs/{run.public_id}/resume/", json={}).json()["status"] == "pending"
    assert client.post(f"runs/{run.public_id}/give-up/", json={"reason": "wrong"}).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("act", "body", "status", "code"),
    [
        ("retry-now", {}, 409, "run_has_ended"),
        ("pause", {}, 422, "invalid"),
        ("skip", {"reason": "x"}, 409, "run_has_ended"),
        ("resume", {"reason": "x"}, 409, "run_has_ended"),
    ],
)
def test_refusals_say_why(api: Api, act: str, body: dict, status: int, code: str) -> None:
    run = records.run(status=RunStatus.COMPLETED)
    answer = api("runs:write").post(f"runs/{run.public_id}/{act}/", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_bulk_by_filter_previews_then_does(api: Api) -> None:
    runs, client = [later() for _ in range(3)], api("runs:write", "events:read")
    later(flow="others")
    asked = {"action": "retry_now", "filter": {"flow": records.FLOW, "status": "retrying"}}
    preview = client.post("runs/bulk/", json={**asked, "dry_run": True}).json()
    assert (preview["total"], preview["allowed"]) == (3, 3)
    assert preview["amounts"] == [{"amount": "300.00", "currency": "EUR"}]
    assert not Run.objects.filter(due_at__lte=timezone.now()).exists()
    done = client.post("runs/bulk/", json=asked).json()
    assert (done["total"], done["handled"], done["refused"]) == (3, 3, 0)
    assert {item["id"] for item in done["results"]} == {run.public_id for run in runs}
    assert client.get(f"runs/bulk/{done['id']}/").json()["ended_at"] is not None
    assert client.post(f"runs/bulk/{done['id']}/cancel/").json()["code"] == "ended_already"


def test_bulk_of_unknown_runs_does_nothing(api: Api) -> None:
    answer = api("runs:write").post(
        "runs/bulk/", json={"action": "pause", "reason": "x", "ids": [later().public_id, "run_no"]}
    )
    assert (answer.status_code, Run.objects.get().status) == (404, RunStatus.RETRYING)


def test_a_run_tells_what_comes_next(api: Api) -> None:
    told = api("events:read").get("runs/", params={"status": "retrying"})
    assert told.json()["results"] == []
    run = later()
    (row,) = api("events:read").get("runs/").json()["results"]
    assert (row["tries"], row["next_attempt_at"][:16]) == (2, run.due_at.isoformat()[:16])
