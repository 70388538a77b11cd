"""The simulated CRM and ERP as a salesperson's browser reaches them: over HTTP only."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from meshline.demo.deals import Body, Price

PAGE = 100


class Sandbox:
    """Raises httpx.HTTPError when the sandbox refuses or does not answer."""

    def __init__(self, *, url: str, crm_token: str, erp_token: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._crm = {"Authorization": f"Bearer {crm_token}"}
        self._erp = {"Authorization": f"Bearer {erp_token}"}

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def subscribe(self, *, url: str, secret: str, note: Path) -> None:
        """Has the CRM send its webhooks to us, once; `note` remembers which subscription is ours."""
        ours = note.read_text() if note.exists() else ""
        for hook in self._call("GET", "/crm/webhooks")["items"]:
            if (hook["id"], hook["url"], hook["state"]) == (ours, url, "active"):
                return
            self._call("DELETE", f"/crm/webhooks/{hook['id']}")
        note.write_text(self._call("POST", "/crm/webhooks", {"url": url, "secret": secret})["id"])

    def seed(self) -> None:
        """Loads the invented company, and its history as webhooks. A second time adds nothing."""
        self._call("POST", "/_control/seed", {"emit": True, "today": datetime.now(UTC).date().isoformat()})

    def accounts(self) -> list[Body]:
        return self._list("/crm/accounts")

    def prices(self) -> list[Price]:
        rows = self._list("/erp/price-book")
        return [Price(row["name"], Decimal(row["list_price"]), row["currency"]) for row in rows]

    def open_deals(self) -> list[Body]:
        return [deal for stage in ("Prospecting", "Engaging") for deal in self._list("/crm/opportunities", stage=stage)]

    def create_deal(self, body: Body) -> Body:
        return self._call("POST", "/crm/opportunities", body)

    def change_deal(self, deal: Body, change: Body) -> Body:
        return self._call("PATCH", f"/crm/opportunities/{deal['id']}", change)

    def add_fault(self, fault: Body) -> None:
        self._call("POST", "/_control/faults", fault)

    def _list(self, path: str, **query: str) -> list[Body]:
        items: list[Body] = []
        cursor: str | None = None
        while True:
            parameters = {**query, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", path, query=parameters)
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    def _call(self, method: str, path: str, body: Body | None = None, *, query: dict[str, str] | None = None) -> Any:
        headers = self._erp if path.startswith("/erp") else self._crm
        answer = self._client.request(method, path, json=body, params=query, headers=headers)
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {path}: {answer.status_code} {answer.text}", request=answer.request, response=answer
            )
        return answer.json() if answer.content else None
