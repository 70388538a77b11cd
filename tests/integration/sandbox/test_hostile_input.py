"""Whatever is sent, the answer is a 4xx in the one error shape; never a 500, and nothing is kept."""

import json
from typing import Any

import httpx
import pytest

RAW_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b'{"total": NaN}',
    b'{"total": Infinity}',
    b'{"total": 1e999}',
    b'{"external_id": "\\ud800"}',
    b'{"\\ud800": 1}',
    b"[" * 100_000,
    b'{"total": ' + b"9" * 10_000 + b"}",
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b"x" * (1024 * 1024 + 1),
]
PATHS = ["/erp/customers", "/erp/orders", "/erp/invoices", "/crm/accounts", "/crm/opportunities", "/crm/quotes"]
PATHS += ["/crm/webhooks", "/desk/tickets", "/_control/faults"]
TOKENS = {"erp": "erp-demo-token", "crm": "crm-demo-token", "desk": "desk-demo-token"}
VALUES: list[Any] = [None, True, -1, 0, 1.5, 10**30, "", "NaN", "1e5", "-1.00", "x" * 30_000, [], {}, [[]], {"a": {}}]


def post(server: Any, path: str, body: bytes) -> httpx.Response:
    token = TOKENS.get(path.split("/")[1], "none")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx.post(server.url + path, content=body, headers=headers, timeout=10, trust_env=False)


@pytest.mark.parametrize("path", PATHS)
def test_post_refuses_what_is_not_its_json(path: str, server: Any, control: httpx.Client) -> None:
    for body in RAW_BODIES:
        answer = post(server, path, body)
        assert 400 <= answer.status_code < 500, (path, body[:40], answer.text[:200])
        assert answer.json()["error"]["message"]


def test_create_order_refuses_wrong_types(erp: httpx.Client, order: dict[str, Any]) -> None:
    for field in ("customer_id", "currency", "order_date", "lines", "total"):
        for value in VALUES:
            answer = erp.post("/orders", json={**order, field: value})
            assert answer.status_code == 422, (field, value, answer.text[:200])
    for field in ("sku", "quantity", "unit_price"):
        for value in (None, True, -1, 1.5, 10**30, "", [], {}):
            line = {**order["lines"][0], field: value}
            answer = erp.post("/orders", json={**order, "lines": [line]})
            assert answer.status_code == 422, (field, value, answer.text[:200])
    assert erp.get("/orders").json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=501", "limit=x", "limit=1e3", "limit=٣", "cursor=x", "cursor=W10=", "cursor=WzFd%FF",
        "cursor=WzFlOTlnXQ==", "cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0=", "updated_since=yesterday",
        "updated_since=0001-01-01T00:00:00%2B23:59", "order_date_from=2026-2-1", "extern_id=1", "%FF=1",
    ],
)  # fmt: skip
def test_list_refuses_bad_queries(query: str, erp: httpx.Client) -> None:
    answer = erp.get(f"/orders?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_failed"), answer.text


@pytest.mark.parametrize(
    "path", ["/orders/SO-9", "/orders/%FF", "/orders/%00", "/orders/a%2Fb", "/nothing", "/orders/"]
)
def test_unknown_paths_are_404(path: str, erp: httpx.Client) -> None:
    answer = erp.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_wrong_method_is_405(erp: httpx.Client) -> None:
    assert erp.delete("/orders").json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic ZXJw", "Bearer crm-demo-token", "Bearer \xff"])
def test_wrong_token_is_401(header: str, server: Any) -> None:
    answer = httpx.get(f"{server.url}/erp/orders", headers={"Authorization": header.encode("latin-1")}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    "patch",
    [[], 1, {"erp": 1}, {"erp": {"token": ""}}, {"moon": {}}, {"seed": "x"}, {"erp": {"closed_periods": ["2026-13"]}}],
)
def test_settings_refuse_nonsense(patch: Any, control: httpx.Client) -> None:
    before = control.get("/settings").json()
    assert control.post("/settings", content=json.dumps(patch)).status_code == 422
    assert control.get("/settings").json() == before


def test_other_sites_may_not_steer(server: Any, control: httpx.Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert control.post("/reset", headers=headers).status_code == 403
    assert httpx.post(f"{server.url}/faults", data={"on": "erp-down"}, headers=headers).status_code == 403
