"""What the demo company had before Meshline came: its CRM's history, the ERP's price book, the existing accounts.

Read from the running sandbox, handed in by the same doors that everybody uses: webhooks and `manage.py ingest`.
"""

import io
import json
import os
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from meshline.demo.errors import DemoError
from meshline.demo.plan import Demo
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Event, Run
from syncflows.sandbox.client import SandboxClient

CARRIED_DEADLINE_S = 15.0
POLL_S = 0.1


def bring_in(demo: Demo) -> str:
    """Brings in what is there, once, then subscribes to the CRM's webhooks: later changes come that way alone."""
    sandbox, done = SandboxClient(demo.sandbox_url), demo.folder / "brought-in"
    sandbox.connect()
    result = "there already"
    if not (done.exists() and Event.objects.exists()):
        result = _bring_in_company(demo, sandbox)
        done.touch()
    sandbox.subscribe(url=demo.webhook_url, secret=os.environ["MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET"])
    return result


def _bring_in_company(demo: Demo, sandbox: SandboxClient) -> str:
    """Idempotent: the same content is never an event twice."""
    sandbox.seed(emit=False)
    products = _ingest(demo.folder / "price-book.jsonl", sandbox.list("/erp/price-book"), "erp", "erp.price.listed")
    accounts = _ingest(demo.folder / "accounts.jsonl", sandbox.list("/crm/accounts"), "crm", "crm.account.updated")
    _await_carried()
    deals = sandbox.list("/crm/opportunities")
    history = _ingest(demo.folder / "deals.jsonl", deals, "crm", "crm.opportunity.updated")
    return f"{products} products, {accounts} accounts and {history} deals"


def _await_carried() -> None:
    """Deals come after what they name; one that comes earlier waits by itself, so this need not succeed."""
    ends_at = time.monotonic() + CARRIED_DEADLINE_S
    while Run.objects.filter(status__in=(RunStatus.PENDING, RunStatus.RUNNING)).exists():
        if time.monotonic() > ends_at:
            return
        time.sleep(POLL_S)


def _ingest(path: Path, rows: list[dict[str, Any]], system: str, type_: str) -> int:
    """Returns how many rows were accepted. Raises DemoError."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = io.StringIO()
    try:
        with redirect_stderr(io.StringIO()):  # the progress bar
            call_command("ingest", str(path), system=system, type=type_, stdout=out)
    except CommandError as error:
        raise DemoError(f"{path.name} could not be brought in: {error}") from error
    return int(json.loads(out.getvalue().splitlines()[-1])["accepted"])
