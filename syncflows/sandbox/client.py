"""The sandbox as a person's browser reaches it: over HTTP only. Knows nothing of Meshline."""

import os
import time
from typing import Any

import httpx

from syncflows.sandbox.enums import SystemName, WebhookState
from syncflows.sandbox.errors import SandboxStartError

START_TIMEOUT_S = 30.0
POLL_S = 0.1
PAGE = 500


class SandboxClient:
    """Raises httpx.HTTPError when the sandbox refuses or does not answer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.tokens: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The JSON answer."""
        headers = {"Authorization": f"Bearer {self.tokens.get(path.split('/')[1], 'none')}"}
        answer = self._client.request(method, path, json=body, params=query, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Every item of every page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.call("GET", path, limit=str(PAGE), **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
        return items

    def post_raw(self, url: str, content: bytes, headers: dict[str, str]) -> int:
        """The status of a request that is not the sandbox's own."""
        return self._client.post(url, content=content, headers=headers, timeout=10).status_code

    def connect(self) -> None:
        """Waits for the sandbox; tokens are those of the environment, or else those it says. Raises SandboxStartError."""
        settings = self._wait_until_up()
        self.tokens = {
            name: os.environ.get(f"MESHLINE_SANDBOX_{name.upper()}_TOKEN") or settings[name]["token"]
            for name in SystemName
        }

    def seed(self, *, emit: bool) -> None:
        """Loads the invented company, with its history as webhooks if `emit`. A second time adds nothing."""
        self.call("POST", "/_control/seed", {"emit": emit})

    def subscribe(self, *, url: str, secret: str) -> None:
        """Has the CRM send its webhooks to `url`, and nowhere else. Idempotent: on the URL."""
        known = [hook for hook in self.call("GET", "/crm/webhooks")["items"] if not self._drop_other(hook, url)]
        if not known:
            self.call("POST", "/crm/webhooks", {"url": url, "secret": secret})

    def _drop_other(self, hook: dict[str, Any], url: str) -> bool:
        if (hook["url"], hook["state"]) == (url, WebhookState.ACTIVE):
            return False
        self.call("DELETE", f"/crm/webhooks/{hook['id']}")
        return True

    def _wait_until_up(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return self._client.get("/_control/settings").raise_for_status().json()
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol) or time.monotonic() > deadline:
                    raise SandboxStartError(
                        f"No sandbox answers at {self._client.base_url} ({error}). Start one: manage.py sandbox."
                    ) from error
                time.sleep(POLL_S)
