"""What the demo company had before Meshline came: its CRM's history, the ERP's price book, the existing accounts.

Read from the running sandbox, handed in by the same doors that everybody uses: webhooks and `manage.py ingest`.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

from meshline.demo.errors import DemoError
from meshline.demo.plan import Demo
from syncflows.sandbox.client import SandboxClient


def bring_in(demo: Demo) -> str:
    """Subscribes to the CRM's webhooks and brings in what is there. Idempotent: the same content is never an event twice."""
    sandbox = SandboxClient(demo.sandbox_url)
    sandbox.connect()
    sandbox.subscribe(url=demo.webhook_url, secret=os.environ["MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET"])
    sandbox.seed(emit=True)
    products = _ingest(demo.folder / "price-book.jsonl", sandbox.list("/erp/price-book"), "erp", "erp.price.listed")
    accounts = _ingest(demo.folder / "accounts.jsonl", sandbox.list("/crm/accounts"), "crm", "crm.account.updated")
    return f"{products} products and {accounts} accounts that are new to Meshline"


def _ingest(path: Path, rows: list[dict[str, Any]], system: str, type_: str) -> int:
    """Returns how many rows were accepted. Raises DemoError."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = io.StringIO()
    try:
        call_command("ingest", str(path), system=system, type=type_, stdout=out, stderr=io.StringIO())
    except CommandError as error:
        raise DemoError(f"{path.name} could not be brought in: {error}") from error
    return int(json.loads(out.getvalue().splitlines()[-1])["accepted"])
