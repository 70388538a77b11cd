"""`manage.py replay`: previews, runs, refuses what it cannot read; the last line is JSON."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from syncflows.engine.enums import RunStatus
from syncflows.engine.models import ReplayJob, Run
from tests.factories import people
from tests.integration.engine import deals


@pytest.fixture
def failed(erp: str, customer_id: str) -> Run:
    [event] = deals.send(1, customer_id="nobody")
    return deals.carry(until=RunStatus.FAILED, run=deals.run_of(event))


def replay(*args: str) -> dict[str, object]:
    out = StringIO()
    call_command("replay", *args, "--by", people.alice().username, "--reason", "mended", stdout=out, stderr=StringIO())
    found: dict[str, object] = json.loads(out.getvalue().splitlines()[-1])
    return found


def test_preview_then_run(failed: Run, customer_id: str, erp: str, tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text(json.dumps({"customer_id": customer_id}))
    asked = ("--flow", "deals", "--status", "failed", "--since", "2020-01-01T00:00:00Z", "--merge", str(patch))
    seen = replay(*asked, "--preview")
    assert (seen["status"], seen["verdicts"], seen["outcomes"]) == ("previewed", {"would_create": 1}, {"waiting": 1})
    assert deals.orders(erp) == []

    done = replay("--job", str(seen["replay"]))
    assert (done["status"], done["outcomes"]) == ("done", {"done": 1})
    assert len(deals.orders(erp)) == 1


def test_what_fails_again_is_an_exit_code(failed: Run) -> None:
    with pytest.raises(CommandError, match="Not all was done"):
        replay(failed.public_id, "--per-second", "50")
    assert ReplayJob.objects.get().status == "done"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--flow", "none"), "Nothing matches"),
        ((), "at least one filter"),
        (("--since", "yesterday"), "cannot read"),
        (("--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "time range is empty"),
        (("run_0000000000000000",), "no run or event"),
        (("run_0000000000000000", "--flow", "deals"), "not both"),
        (("--flow", "deals", "--merge", "/nowhere.json"), "cannot be read"),
        (("--flow", "deals", "--per-second", "0"), "pace"),
    ],
)
def test_bad_input(failed: Run, args: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        replay(*args)
    assert not ReplayJob.objects.exists()
