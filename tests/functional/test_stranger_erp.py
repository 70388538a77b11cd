"""The ten-minute guide, followed to the letter: its own YAML, its own event, its own commands, against a stranger's ERP."""

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from meshline.kernel import jsontext
from syncflows.engine import cloudevents, connections, ingest
from syncflows.engine.arrivals import Arrival
from syncflows.governance import catalog
from tests.architecture.code import CHECKOUT
from tests.servers import stranger_erp
from tests.servers.stranger_erp import Trouble

GUIDE = CHECKOUT / "docs" / "connect-your-erp.md"
NAMED_BLOCK = re.compile(r"^`(stranger/[a-z]+\.yaml)`\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EVENT = re.compile(r"-d '(\{.*?\})'\n", re.DOTALL)
WRITTEN_DAY = "2026-11-20"


@pytest.fixture
def erp(monkeypatch: pytest.MonkeyPatch) -> Iterator[stranger_erp.Erp]:
    with stranger_erp.running() as running:
        monkeypatch.setenv("STRANGER_ERP_URL", running.url)
        monkeypatch.setenv("STRANGER_ERP_KEY", stranger_erp.API_KEY)
        yield running
        connections.close_all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The guide's files, under the names the guide gives them."""
    blocks = NAMED_BLOCK.findall(GUIDE.read_text())
    assert [name for name, _ in blocks] == [f"stranger/{part}.yaml" for part in ("systems", "deal", "order", "flow")]
    for name, text in blocks:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "stranger"


def event() -> str:
    """The guide's event, closed today: the comparison looks at the last 30 days."""
    found = EVENT.search(GUIDE.read_text())
    assert found is not None
    return found[1].replace(WRITTEN_DAY, f"{datetime.now(UTC):%Y-%m-%d}")


def run(*command: str, **options: Any) -> Any:
    """A command of manage.py; what its last line says."""
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=io.StringIO(), **options)
    return json.loads(out.getvalue().strip().splitlines()[-1])


def send(times: int = 1) -> None:
    """The event at the doorstep, as the API hands it over."""
    for _ in range(times):
        told = cloudevents.structured(jsontext.parse(event()))
        ingest.accept(
            [Arrival(source=told.source, type=told.type, payload=told.data, source_event_id=told.id)],
            catalog=catalog.current(),
        )


@pytest.mark.django_db
def test_the_guides_files_apply_and_apply_again_changes_nothing(folder: Path, erp: stranger_erp.Erp) -> None:
    assert run("flows", "apply", str(folder), "--dry-run")["refused"] == []
    first = run("flows", "apply", str(folder))
    assert len(first["created"]) == 5
    assert first["refused"] == []
    again = run("flows", "apply", str(folder))
    assert (again["created"], again["updated"], len(again["unchanged"])) == ([], [], 5)


@pytest.mark.django_db(transaction=True)
def test_the_guides_deal_becomes_one_order(folder: Path, erp: stranger_erp.Erp) -> None:
    run("flows", "apply", str(folder))
    send(times=2)
    assert run("drain", "--timeout-s", "30")["completed"] == 1
    (order,) = erp.books.documents
    assert (order["client_ref"], order["grandTotal"], order["curr"], order["customerName"]) == (
        "DEAL-2041",
        "1054.10",
        "EUR",
        "Amberley Foundry",
    )
    assert order["positions"] == [{"article": "KI-CAL-100", "qty": "2", "price": "527.05"}]
    assert run("trace", order["docNo"], "--json")["matches"] == 1


@pytest.mark.django_db(transaction=True)
def test_the_guides_order_is_made_once_where_the_erp_falls_silent_after_the_commit(
    folder: Path, erp: stranger_erp.Erp
) -> None:
    text = (folder / "systems.yaml").read_text()
    (folder / "systems.yaml").write_text(
        text.replace("read_s: 10, settle_s: 5", "read_s: 0.3, settle_s: 0.1") + "  retry: {base_s: 0.1, cap_s: 0.3}\n"
    )
    run("flows", "apply", str(folder))
    send()
    with erp.books.troubled(Trouble("POST", after=True, hang=True)):
        assert run("drain", "--timeout-s", "30")["completed"] == 1
    assert len(erp.books.documents) == 1


@pytest.mark.django_db(transaction=True)
def test_the_guides_request_is_taken(folder: Path, erp: stranger_erp.Erp, live_server: Any) -> None:
    run("flows", "apply", str(folder))
    token = run("token", "create", "our crm", scopes="events:write")["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    answers = [
        httpx.post(f"{live_server.url}/api/v1/events/", content=event(), headers=headers, trust_env=False)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 200], answers[0].text
    run("drain", "--timeout-s", "30")
    assert len(erp.books.documents) == 1


@pytest.mark.django_db(transaction=True)
def test_the_guides_comparison_finds_no_difference_and_then_exactly_one(folder: Path, erp: stranger_erp.Erp) -> None:
    run("flows", "apply", str(folder))
    send()
    run("drain", "--timeout-s", "30")
    found = run("reconcile", "stranger-orders")
    assert {name: found[name] for name in ("matched", "missing_in_target", "missing_in_source", "differs", "duplicate")} == {
        "matched": 1, "missing_in_target": 0, "missing_in_source": 0, "differs": 0, "duplicate": 0,
    }  # fmt: skip
    erp.books.documents[0]["grandTotal"] = "1054.11"
    assert run("reconcile", "stranger-orders")["differs"] == 1
