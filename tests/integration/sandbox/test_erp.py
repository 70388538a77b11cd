"""The ERP keeps its books exactly, and makes two documents of two POSTs unless it is asked not to."""

from typing import Any

import httpx

from tests.integration.sandbox.conftest import make_order


def test_create_order_answers_number_and_total(erp: httpx.Client, order: dict[str, Any]) -> None:
    answer = erp.post("/orders", json=order)
    made = answer.json()
    assert answer.status_code == 201
    assert (made["number"], made["total"], made["status"]) == ("SO-000001", "1054.00", "open")
    assert erp.get("/orders/SO-000001").json() == made
    assert erp.get("/orders", params={"external_id": "opp-1"}).json()["items"] == [made]
    assert erp.get("/orders", params={"external_id": "opp-2"}).json()["items"] == []


def test_create_order_twice_makes_two(erp: httpx.Client, order: dict[str, Any], control: httpx.Client) -> None:
    for _ in range(2):
        erp.post("/orders", json=order, headers={"Idempotency-Key": "k1"})
    ledger = control.get("/ledger", params={"entity": "orders"}).json()
    assert ledger["count"] == 2
    assert ledger["duplicates"] == [{"external_id": "opp-1", "numbers": ["SO-000001", "SO-000002"]}]


def test_create_order_replays_when_idempotent(erp: httpx.Client, order: dict[str, Any], control: httpx.Client) -> None:
    control.post("/settings", json={"erp": {"idempotent": True}})
    first = erp.post("/orders", json=order, headers={"Idempotency-Key": "k1"})
    again = erp.post("/orders", json=order, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert erp.post("/orders", json=order).json()["number"] == "SO-000002"
    other = erp.post("/orders", json={**order, "notes": "x"}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_create_customer_is_unique_only_when_idempotent(erp: httpx.Client, control: httpx.Client) -> None:
    customer = {"name": "Bergstad", "external_id": "acc_9"}
    assert [erp.post("/customers", json=customer).status_code for _ in range(2)] == [201, 201]
    control.post("/settings", json={"erp": {"idempotent": True}})
    assert erp.post("/customers", json=customer).status_code == 409


def test_create_order_refuses_what_does_not_add_up(erp: httpx.Client, order: dict[str, Any]) -> None:
    cases = [
        ({"total": "1054.01"}, "total"),
        ({"customer_id": "nobody"}, "customer_id"),
        ({"currency": "XXX"}, "currency"),
        ({"order_date": "2026-02-30"}, "order_date"),
        ({"lines": []}, "lines"),
        ({"surprise": 1}, "surprise"),
    ]
    for change, field in cases:
        answer = erp.post("/orders", json={**order, **change})
        assert answer.status_code == 422, change
        assert answer.json()["error"]["details"][0]["field"] == field
    assert erp.get("/orders").json()["items"] == []


def test_change_and_cancel_order(erp: httpx.Client, order: dict[str, Any]) -> None:
    number = erp.post("/orders", json=order).json()["number"]
    line = {**order["lines"][0], "quantity": 3}
    changed = erp.patch(f"/orders/{number}", json={"lines": [line], "total": "1581.00"}).json()
    assert (changed["total"], changed["lines"][0]["amount"]) == ("1581.00", "1581.00")
    assert erp.patch(f"/orders/{number}", json={"total": "1.00"}).status_code == 422
    assert erp.post(f"/orders/{number}/cancel").json()["status"] == "cancelled"
    assert erp.post(f"/orders/{number}/cancel").status_code == 409


def test_invoices_allow_a_second_and_honour_closed_periods(
    erp: httpx.Client, order: dict[str, Any], control: httpx.Client
) -> None:
    number = erp.post("/orders", json=order).json()["number"]
    invoice = {"order_number": number, "external_id": "opp-1", "currency": "USD", "total": "1054.00"}
    made = [erp.post("/invoices", json={**invoice, "invoice_date": "2026-03-02"}).json() for _ in range(2)]
    assert [item["number"] for item in made] == ["INV-000001", "INV-000002"]
    assert len(erp.get("/invoices", params={"order_number": number}).json()["items"]) == 2
    assert erp.post("/invoices/INV-000001/post").json()["status"] == "posted"
    assert erp.post("/invoices/INV-000001/post").status_code == 409
    control.post("/settings", json={"erp": {"closed_periods": ["2026-03"]}})
    closed = erp.post("/invoices", json={**invoice, "invoice_date": "2026-03-31"})
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "accounting_period_closed")
    assert erp.post("/invoices/INV-000002/cancel").json()["status"] == "cancelled"


def test_put_price_creates_then_changes(erp: httpx.Client) -> None:
    price = {"list_price": "550.00", "currency": "USD"}
    assert erp.put("/price-book/GTX Basic", json=price).status_code == 201
    assert erp.put("/price-book/GTX Basic", json={**price, "list_price": "560"}).status_code == 200
    assert [item["list_price"] for item in erp.get("/price-book").json()["items"]] == ["560.00"]


def test_list_pages_through_everything_once(erp: httpx.Client, order: dict[str, Any]) -> None:
    numbers = [erp.post("/orders", json=order).json()["number"] for _ in range(7)]
    for filters in ({}, {"updated_since": "2020-01-01"}):
        seen, cursor = [], None
        while True:
            query = {"limit": 3, **filters, **({"cursor": cursor} if cursor else {})}
            page = erp.get("/orders", params=query).json()
            seen += [item["number"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == numbers


def test_list_by_dates(erp: httpx.Client, order: dict[str, Any]) -> None:
    first = erp.post("/orders", json=order).json()
    second = erp.post("/orders", json={**order, "order_date": "2026-04-01"}).json()
    window = {"order_date_from": "2026-03-01", "order_date_to": "2026-03-01"}
    assert erp.get("/orders", params=window).json()["items"] == [first]
    assert erp.get("/orders", params={"updated_since": second["updated_at"]}).json()["items"] == [second]
    assert erp.get("/orders", params={"created_to": second["created_at"]}).json()["items"] == [first]


def test_ledger_adds_up_exactly(erp: httpx.Client, order: dict[str, Any], control: httpx.Client) -> None:
    prices = ["0.10", "0.20", "99999999.99", "0.07"]
    for number, price in enumerate(prices):
        erp.post("/orders", json=make_order(order["customer_id"], f"o{number}", price, 1)).raise_for_status()
    ledger = control.get("/ledger", params={"entity": "orders"}).json()
    assert (ledger["count"], ledger["sum"], ledger["duplicates"]) == (4, {"USD": "100000000.36"}, [])
    lines = control.get("/ledger", params={"entity": "orders", "full": "1"}).text.splitlines()
    assert len(lines) == 4
    erp.post("/orders/SO-000003/cancel")
    after = control.get("/ledger").json()
    assert (after["sum"], after["by_status"]) == ({"USD": "0.37"}, {"cancelled": 1, "open": 3})
