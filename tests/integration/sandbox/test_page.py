"""The sandbox's page shows what stands in the store, escapes it, and switches faults."""

from typing import Any

import httpx


def test_page_renders_empty(server: Any, control: httpx.Client) -> None:
    answer = httpx.get(server.url, trust_env=False)
    assert answer.status_code == 200
    assert "Orders appear here as soon as" in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_page_shows_orders_and_duplicates_escaped(server: Any, erp: httpx.Client, order: dict[str, Any]) -> None:
    for _ in range(2):
        erp.post("/orders", json={**order, "external_id": "<script>alert(1)</script>"}).raise_for_status()
    page = httpx.get(server.url, trust_env=False).text
    assert "SO-000002" in page
    assert "Duplicates: 1" in page
    assert "2,108.00 USD" in page
    assert "<script>" not in page


def test_page_switches_faults(server: Any, erp: httpx.Client) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        assert "ERP answers 503" in browser.post("/faults", data={"on": "erp-down"}).text
        assert erp.get("/orders").status_code == 503
        browser.post("/faults", data={"off": "erp-down"})
        assert erp.get("/orders").status_code == 200
        assert browser.post("/faults", data={"off": "erp-down"}).status_code == 404
