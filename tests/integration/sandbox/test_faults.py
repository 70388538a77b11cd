"""Each fault does what its name says, before or after the commit, as often as it was told."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

AddFault = Callable[..., dict[str, Any]]


def count_orders(control: httpx.Client) -> int:
    return int(control.get("/ledger", params={"entity": "orders"}).json()["count"])


def test_status_does_nothing_and_counts_down(
    erp: httpx.Client, order: dict[str, Any], control: httpx.Client, add_fault: AddFault
) -> None:
    add_fault("status", method="POST", path_prefix="/orders", count=2, params={"status": 429, "retry_after": 7})
    answers = [erp.post("/orders", json=order) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].json()["error"]["code"] == "rate_limited"
    assert (count_orders(control), control.get("/faults").json()["items"]) == (1, [])


def test_status_after_commit_has_committed(
    erp: httpx.Client, order: dict[str, Any], control: httpx.Client, add_fault: AddFault
) -> None:
    add_fault("status_after_commit", method="POST", params={"status": 500})
    assert erp.post("/orders", json=order).status_code == 500
    assert count_orders(control) == 1


def test_timeout_after_commit_never_answers_but_has_committed(
    erp: httpx.Client, order: dict[str, Any], control: httpx.Client, add_fault: AddFault
) -> None:
    add_fault("timeout_after_commit", method="POST", count=2, params={"hang_s": 0.3})
    with pytest.raises(httpx.ReadTimeout):
        erp.post("/orders", json=order, timeout=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        erp.post("/orders", json=order)
    assert count_orders(control) == 2


@pytest.mark.parametrize(("kind", "committed"), [("cut_before_commit", 0), ("cut_after_commit", 1)])
def test_cut_closes_without_an_answer(
    kind: str,
    committed: int,
    erp: httpx.Client,
    order: dict[str, Any],
    control: httpx.Client,
    add_fault: AddFault,
) -> None:
    add_fault(kind, method="POST", path_prefix="/erp/orders", count=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        erp.post("/orders", json=order)
    assert count_orders(control) == committed
    assert erp.post("/orders", json=order).status_code == 201


def test_refused_request_does_not_use_up_an_after_commit_fault(
    erp: httpx.Client, order: dict[str, Any], control: httpx.Client, add_fault: AddFault
) -> None:
    add_fault("cut_after_commit", method="POST", count=1)
    assert erp.post("/orders", json={**order, "total": "1"}).status_code == 422
    assert len(control.get("/faults").json()["items"]) == 1


def test_latency_delays_the_answer(erp: httpx.Client, order: dict[str, Any], add_fault: AddFault) -> None:
    add_fault("latency", params={"ms": 400})
    with pytest.raises(httpx.ReadTimeout):
        erp.get("/orders", timeout=0.05)
    assert erp.get("/orders").elapsed.total_seconds() >= 0.4


def test_rename_field_in_one_answer_and_in_lists(erp: httpx.Client, order: dict[str, Any], add_fault: AddFault) -> None:
    add_fault("rename_field", params={"from": "lines.unit_price", "to": "net_price"})
    made = erp.post("/orders", json=order).json()
    assert "unit_price" not in made["lines"][0]
    assert made["lines"][0]["net_price"] == "527.00"
    assert erp.get("/orders").json()["items"][0]["lines"][0]["net_price"] == "527.00"


def test_expire_credential_until_removed(erp: httpx.Client, control: httpx.Client, add_fault: AddFault) -> None:
    fault = add_fault("expire_credential")
    refused = erp.get("/orders")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_token")
    assert control.delete(f"/faults/{fault['id']}").status_code == 204
    assert erp.get("/orders").status_code == 200


def test_probability_repeats_with_the_seed(erp: httpx.Client, control: httpx.Client, add_fault: AddFault) -> None:
    def play() -> list[int]:
        add_fault("status", id="half", probability=0.5, params={"status": 503})
        return [erp.get("/orders").status_code for _ in range(30)]

    first, second = play(), play()
    assert first == second
    assert {200, 503} == set(first)
    control.post("/settings", json={"seed": 99})
    assert play() != first


def test_faults_leave_other_systems_alone(crm: httpx.Client, add_fault: AddFault) -> None:
    add_fault("status", params={"status": 503})
    assert crm.get("/accounts").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "latency", "system": "erp"},
        {"kind": "nonsense", "system": "erp"},
        {"kind": "status", "system": "moon", "params": {"status": 500}},
        {"kind": "status", "system": "erp", "params": {"status": 200}},
        {"kind": "rename_field", "system": "erp", "params": {"from": "a.b", "to": "c.d"}},
        {"kind": "cut_before_commit", "system": "erp", "probability": 2},
    ],
)
def test_add_fault_refuses_nonsense(fault: dict[str, Any], control: httpx.Client) -> None:
    assert control.post("/faults", json=fault).status_code == 422
    assert control.get("/faults").json()["items"] == []
