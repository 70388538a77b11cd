"""Replays over the API: preview, records, start, pause, cancel, the rest again; hostile input; a key that is sent twice asks once."""

from __future__ import annotations

import httpx
import pytest

from syncflows.engine import batch
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import ReplayItem, ReplayJob, Run
from syncflows.engine.replays import carrying
from tests import polling
from tests.functional.api.conftest import Api
from tests.integration.engine import deals
from tests.integration.engine.conftest import customer_id, erp, sandbox

__all__ = ["customer_id", "erp", "sandbox"]


@pytest.fixture
def failed(erp: str, customer_id: str) -> Run:
    [event] = deals.send(1, customer_id="nobody")
    return deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))


def body(run: Run, **values: object) -> dict[str, object]:
    return {"ids": [run.public_id], "reason": "The customer exists now.", **values}


def over(job: str) -> bool:
    carrying.carry(ReplayJob.objects.get(public_id=job).pk)
    batch.work()
    return not ReplayItem.objects.filter(job__public_id=job, outcome__in=("waiting", "under_way")).exists()


def test_preview_start_and_records(api: Api, failed: Run, customer_id: str, erp: str) -> None:
    client = api("events:read", "runs:write")
    correction = {"kind": "merge", "document": {"customer_id": customer_id}}
    keyed = {"headers": {"Idempotency-Key": "one"}}
    made = client.post("replays/", json=body(failed, correction=correction), **keyed)
    assert made.status_code == 201, made.text
    assert client.post("replays/", json=body(failed, correction=correction), **keyed).json()["id"] == made.json()["id"]
    job = made.json()
    assert (job["status"], job["runnable"], job["counts"]["verdicts"]) == ("previewed", 1, {"would_create": 1})

    [record] = client.get(f"replays/{job['id']}/records/", params={"verdict": "would_create"}).json()["results"]
    assert record["run"] == failed.public_id
    assert record["steps"][0]["document"]["customer_id"] == customer_id
    assert record["money"] == {"amount": "100.00", "currency": "USD"}
    assert deals.orders(erp) == []

    assert client.post(f"replays/{job['id']}/start/", json={}).json()["status"] == "running"
    again = client.post(f"replays/{job['id']}/start/", json={})
    assert (again.status_code, again.json()["code"]) == (409, "status_changed")
    polling.until(lambda: over(job["id"]), timeout_s=20, what="it is over")
    assert client.get(f"replays/{job['id']}/").json()["counts"]["outcomes"] == {"done": 1}
    assert [found["id"] for found in client.get("replays/").json()["results"]] == [job["id"]]
    assert client.post(f"replays/{job['id']}/again/", json={}).json()["code"] == "nothing_left"


def test_pause_resume_cancel(api: Api, failed: Run, customer_id: str) -> None:
    client = api("events:read", "runs:write")
    correction = {"kind": "merge", "document": {"customer_id": customer_id}}
    job = client.post("replays/", json=body(failed, correction=correction)).json()["id"]
    assert client.post(f"replays/{job}/pause/", json={}).status_code == 409
    client.post(f"replays/{job}/start/", json={})
    assert client.post(f"replays/{job}/pause/", json={}).json()["status"] == "paused"
    assert client.post(f"replays/{job}/resume/", json={}).json()["status"] == "running"
    cancelled = client.post(f"replays/{job}/cancel/", json={}).json()
    assert (cancelled["status"], cancelled["counts"]["outcomes"]) == ("cancelled", {"cancelled": 1})
    again = client.post(f"replays/{job}/again/", json={"reason": "Now."})
    assert (again.status_code, again.json()["runnable"]) == (201, 1)


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"ids": ["run_0000000000000000"]}, 404, "not_found"),
        ({"ids": ["tkt_0000000000000000"]}, 422, "bad_ids"),
        ({"ids": ["'; DROP TABLE runs; --"]}, 422, "bad_ids"),
        ({"ids": None, "filter": {"flow": "nothing"}}, 422, "nothing_selected"),
        ({"ids": None, "filter": {"shape": "round"}}, 400, "unknown_parameter"),
        ({"ids": None, "filter": {}}, 422, "filter_missing"),
        (
            {
                "ids": None,
                "filter": {"received_after": "2026-02-01T00:00:00Z", "received_before": "2026-01-01T00:00:00Z"},
            },
            400,
            "bad_time_range",
        ),
        ({"ids": None, "filter": {"occurred_after": "0000-13-45"}}, 400, "bad_query"),
        ({"ids": None, "filter": {"amount_min": "NaN"}}, 400, "bad_query"),
        ({"correction": {"kind": "merge", "document": {}}}, 422, "correction_not_an_object"),
        ({"correction": {"kind": "expressions", "document": {"a": "boom("}}}, 422, "bad_expression"),
        ({"correction": {"kind": "merge", "document": {"a": "\x00"}}}, 400, "bad_json"),
        ({"correction": {"kind": "sql", "document": {}}}, 422, "invalid"),
        ({"per_second": 0}, 422, "invalid"),
        ({"versions": "next"}, 422, "invalid"),
        ({"reason": ""}, 422, "invalid"),
        ({"filter": {"flow": "deals"}}, 422, "invalid"),
        ({"colour": "red"}, 422, "invalid"),
    ],
)
def test_hostile_input_is_refused_with_a_reason(
    api: Api, failed: Run, changed: dict[str, object], status: int, code: str
) -> None:
    asked = {name: value for name, value in {**body(failed), **changed}.items() if value is not None}
    answer = api("runs:write").post("replays/", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert not ReplayJob.objects.exists()


def test_scopes(api: Api, failed: Run) -> None:
    assert api("events:read").post("replays/", json=body(failed)).status_code == 403
    assert api("runs:write").get("replays/").status_code == 403
    missing: httpx.Response = api("events:read").get("replays/rpl_0000000000000000/")
    assert missing.status_code == 404
    assert not ReplayJob.objects.exists()
