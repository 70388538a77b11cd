"""A month leaves for files and comes back whole; whatever goes wrong on the way, nothing is lost, doubled or changed."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from meshline.audit.models import AuditEvent
from meshline.kernel import actors
from meshline.kernel.errors import Conflict, Invalid, MeshlineError, Unavailable
from syncflows.engine import partitions, runs, trace
from syncflows.engine.archives import files, months, moving, policy, restoring, tables
from syncflows.engine.archives.enums import MonthStatus
from syncflows.engine.archives.models import ArchivedMonth
from syncflows.engine.arrivals import Arrival, Problem
from syncflows.engine.enums import IngestOutcome, RunStatus
from syncflows.engine.ingest import accept
from syncflows.engine.models import Event, LineageFact, Run, Step, WriteAttempt
from syncflows.governance import catalog
from tests import polling
from tests.integration.engine import deals, history

LABEL = "2026-08"
BY = actors.system("test")


@pytest.fixture
def month(erp: str) -> Iterator[None]:
    """New rows go into August 2026, which is long over."""
    history.cut()
    history.open_month(history.AUGUST)
    yield
    history.cut()


@pytest.fixture
def done(month: None, customer_id: str) -> Run:
    """A run of August that is completed; the present is open again."""
    return carried(customer_id)


def carried(customer_id: str, *, number: int = 1) -> Run:
    [event] = deals.send(number, customer_id=customer_id)
    run = deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    partitions.keep()
    return run


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of what is archived, as the database has it."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables.ALL:
            names = ", ".join(sorted(tables.columns(cursor, table)))
            cursor.execute(f"SELECT {names} FROM {table} ORDER BY id")
            found[table] = cursor.fetchall()
    return found


def status() -> str:
    return ArchivedMonth.objects.get(label=LABEL).status


def leave(folder: Path) -> ArchivedMonth:
    return moving.archive(LABEL, folder=folder, by=BY, reason="old")


def test_month_comes_back_as_it_was(done: Run, tmp_path: Path) -> None:
    before = everything()

    row = leave(tmp_path)
    assert row.status == MonthStatus.ARCHIVED
    assert (LineageFact.objects.count(), WriteAttempt.objects.count()) == (0, 0)
    assert Event.objects.get().payload is None
    restoring.restore(LABEL, by=BY, reason="asked")

    assert everything() == before
    assert status() == MonthStatus.LIVE
    acts = AuditEvent.objects.filter(object_kind="month", object_id=LABEL).order_by("number")
    assert [row.detail["to"] for row in acts] == ["frozen", "left", "archived", "live"]


def test_archived_month_is_still_found_and_says_where_it_is(done: Run, tmp_path: Path) -> None:
    leave(tmp_path)

    [match] = trace.find("D1").matches
    assert [run.public_id for run in match.runs] == [done.public_id]
    assert f"restore --month {LABEL}" in months.note(done.pk)
    with pytest.raises(Conflict, match="Restore the month"):
        runs.replay(done.pk, by=BY, reason="again")
    with pytest.raises(Conflict, match="Restore the month"):
        runs.check_replayable(Run.objects.get(pk=done.pk))
    ArchivedMonth.objects.update(status=MonthStatus.FROZEN)
    with pytest.raises(Conflict, match="being archived just now"):
        runs.replay(done.pk, by=BY, reason="again")


def test_redelivered_event_of_an_archived_month_is_a_duplicate_and_writes_nothing(
    month: None, erp: str, customer_id: str, tmp_path: Path
) -> None:
    arrival = Arrival(
        source="crm", type="deal.changed", source_event_id="e-1",
        payload={"deal_id": "D1", "customer_id": customer_id, "amount": Decimal("100.00")},
    )  # fmt: skip
    [first] = accept([arrival], catalog=catalog.current())
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(Event.objects.get()))
    partitions.keep()
    leave(tmp_path)

    [again] = accept([arrival], catalog=catalog.current())

    assert again.outcome == IngestOutcome.DUPLICATE
    assert (again.public_id, again.correlation_id) == (first.public_id, first.correlation_id)


def test_same_order_told_again_after_archiving_makes_no_second_one(
    done: Run, erp: str, customer_id: str, tmp_path: Path
) -> None:
    leave(tmp_path)

    [event] = deals.send(1, customer_id=customer_id, note="told again")
    run = deals.run_of(event)
    deals.carry(until=RunStatus.IGNORED, run=run)

    assert len(deals.orders(erp)) == 1
    assert not Step.objects.get(run=run).owns_write


def test_write_that_passed_to_a_newer_run_stays_with_it_when_the_month_is_restored(
    done: Run, erp: str, tmp_path: Path
) -> None:
    leave(tmp_path)
    [step] = Step.objects.all()
    Step.objects.filter(pk=step.pk).update(owns_write=False)
    newer = Step.objects.create(
        run_id=history.AUGUST.next.first_key, index=0, name="order", system="erp", operation="update_order", reference=step.reference,
        idempotency_key=step.idempotency_key, document={}, document_fingerprint="x",
    )  # fmt: skip
    restoring.restore(LABEL, by=BY, reason="asked")

    assert Step.objects.get(idempotency_key=step.idempotency_key, owns_write=True) == newer
    assert Step.objects.get(pk=step.pk).document


def test_unfinished_run_keeps_its_month_live_and_is_named(month: None, customer_id: str, tmp_path: Path) -> None:
    [event] = deals.send(1, customer_id=customer_id)
    partitions.keep()
    before = everything()

    with pytest.raises(Conflict, match=f"have not ended, {deals.run_of(event).public_id} among them"):
        leave(tmp_path)

    assert everything() == before
    assert list(tmp_path.iterdir()) == []
    deals.carry(until=RunStatus.COMPLETED, run=deals.run_of(event))
    assert leave(tmp_path).status == MonthStatus.ARCHIVED


def test_month_with_a_live_ticket_stays(month: None, tmp_path: Path) -> None:
    problem = Problem("unreadable", "It cannot be read", "Send it again")
    accept([Arrival(source="crm", raw="{", problem=problem)], catalog=catalog.current())
    partitions.keep()

    with pytest.raises(Conflict, match="1 live tickets speak of it, tkt_"):
        leave(tmp_path)


def test_month_that_is_not_over_stays(erp: str, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="is not over"):
        moving.archive(months.spans()[-1].label, folder=tmp_path, by=BY, reason="old")


def test_archived_rows_cannot_be_changed(done: Run, tmp_path: Path) -> None:
    leave(tmp_path)

    for rows in (Run.objects.filter(pk=done.pk), Event.objects.filter(pk=done.event_id)):
        with pytest.raises(IntegrityError, match="restore it first"), transaction.atomic():
            rows.update(lane="x")


def test_archiving_and_restoring_twice_is_harmless(done: Run, tmp_path: Path) -> None:
    before = everything()
    first = leave(tmp_path)
    assert leave(tmp_path).archive == first.archive
    restoring.restore(LABEL, by=BY, reason="asked")
    restoring.restore(LABEL, by=BY, reason="asked")
    second = leave(tmp_path)
    assert second.archive != first.archive
    restoring.restore(LABEL, by=BY, reason="asked")

    assert everything() == before


def test_full_disk_loses_nothing_and_leaves_no_file(done: Run, tmp_path: Path) -> None:
    before, limits = everything(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(Unavailable, match="File too large.*Nothing left the database"):
            leave(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert everything() == before
    assert list(tmp_path.iterdir()) == []
    assert status() == MonthStatus.LIVE
    assert leave(tmp_path).status == MonthStatus.ARCHIVED


def test_folder_that_cannot_be_made_is_named(done: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unavailable, match=r"tmp.*/file/.*could not be made: Not a directory"):
        leave(tmp_path / "file")
    assert status() == MonthStatus.LIVE


@pytest.mark.parametrize(
    "place", ["write_table", "write_manifest", "give_name", "prepare_stubs", "to_stubs", "steps_to_stubs"]
)
def test_killed_between_any_two_steps_nothing_is_lost(done: Run, tmp_path: Path, place: str) -> None:
    before = everything()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, place, str(tmp_path)],
        env=deals.environment(DJANGO_SETTINGS_MODULE="meshline.settings"),
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    polling.until(
        lambda: moving.recover(by=BY) == [LABEL], timeout_s=20, what="not recovered"
    )  # the server has to notice first that its client is gone
    assert status() == (MonthStatus.ARCHIVED if place == "steps_to_stubs" else MonthStatus.LIVE)
    if place != "steps_to_stubs":
        assert everything() == before
        assert list(tmp_path.iterdir()) == []
        Run.objects.filter(pk=done.pk).update(human_actions=0)  # not frozen
    leave(tmp_path)
    restoring.restore(LABEL, by=BY, reason="asked")
    assert everything() == before


KILLED = """
import os, signal, sys, django
django.setup()
from pathlib import Path
from meshline.kernel import actors
from syncflows.engine.archives import files, moving, swapping
name, folder = sys.argv[1:]
module = files if hasattr(files, name) else swapping
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, name, die)
moving.archive("2026-08", folder=Path(folder), by=actors.system("test"), reason="old")
"""


def test_killed_restore_leaves_the_month_archived(done: Run, tmp_path: Path) -> None:
    before = everything()
    leave(tmp_path)
    away = everything()
    code = (
        KILLED.replace("moving.archive(", "restoring.restore(")
        .replace("folder=Path(folder), ", "")
        .replace("moving, ", "moving, restoring, ")
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, "_attach", str(tmp_path)],
        env=deals.environment(DJANGO_SETTINGS_MODULE="meshline.settings"),
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    assert (everything(), status()) == (away, MonthStatus.ARCHIVED)
    restoring.restore(LABEL, by=BY, reason="asked")
    assert everything() == before


def spoil_end(folder: Path) -> None:
    path = folder / "engine_run.copy.gz"
    path.write_bytes(path.read_bytes()[:-20])


def spoil_byte(folder: Path) -> None:
    path = folder / "engine_event.copy.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def spoil_manifest(folder: Path) -> None:
    path = folder / files.MANIFEST
    path.write_text(path.read_text().replace('"rows": 1', '"rows": 2'))


def lose_file(folder: Path) -> None:
    (folder / "engine_lineagefact.copy.gz").unlink()


def not_ours(folder: Path) -> None:
    manifest = json.loads((folder / files.MANIFEST).read_text())
    (folder / files.MANIFEST).write_text(json.dumps({**manifest, "archive": "another"}))


def no_archive(folder: Path) -> None:
    (folder / files.MANIFEST).write_text("[]")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_end, "engine_run.copy.gz is damaged"),
        (spoil_byte, "engine_event.copy.gz is damaged"),
        (spoil_manifest, "manifest.json was changed"),
        (lose_file, "engine_lineagefact.copy.gz cannot be read"),
        (not_ours, "another installation"),
        (no_archive, "is not the manifest"),
        (shutil.rmtree, "manifest.json cannot be read"),
    ],
)
def test_damaged_or_foreign_archive_is_refused_by_name_and_changes_nothing(
    done: Run, tmp_path: Path, spoil: Any, said: str
) -> None:
    folder = Path(leave(tmp_path).folder)
    away = everything()
    spoil(folder)

    with pytest.raises(Invalid, match=said):
        restoring.restore(LABEL, by=BY, reason="asked")
    assert (everything(), status()) == (away, MonthStatus.ARCHIVED)


def test_file_that_does_not_hold_what_was_sent_leaves_nothing(
    done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, sync = everything(), files.sync
    monkeypatch.setattr(files, "sync", lambda folder: (spoil_byte(folder), sync(folder)))  # a disk that lies

    with pytest.raises(Invalid, match="damaged"):
        leave(tmp_path)
    assert (everything(), status(), list(tmp_path.iterdir())) == (before, MonthStatus.LIVE, [])


def test_column_that_came_after_the_archive_takes_its_default(done: Run, tmp_path: Path) -> None:
    folder = Path(leave(tmp_path).folder)
    manifest, _ = files.read_manifest(folder)
    told = next(item for item in manifest["tables"] if item["table"] == "engine_run")
    rows = b"".join(files.read_table(folder, told)).decode().splitlines()
    place = list(told["columns"]).index("human_actions")
    told["columns"].pop("human_actions")
    (folder / told["file"]).unlink()
    cut = ["\t".join(cell for number, cell in enumerate(row.split("\t")) if number != place) for row in rows]
    told |= files.write_table(folder, "engine_run", [f"{row}\n".encode() for row in cut])
    (folder / files.MANIFEST).unlink()
    manifest.pop("format")
    ArchivedMonth.objects.update(manifest_sha256=files.write_manifest(folder, manifest))

    restoring.restore(LABEL, by=BY, reason="asked")
    assert Run.objects.get().human_actions == 0


def test_policy_archives_what_is_older_and_deletes_archives_past_their_time(done: Run, tmp_path: Path) -> None:
    define(tmp_path, keep_months=1)
    assert LABEL in {span.label for span in policy.due(policy.in_force())}  # type: ignore[arg-type]
    said = policy.carry_out()
    assert LABEL in said["archived"]
    assert policy.carry_out() == {"archived": [], "kept": [], "deleted": []}

    define(tmp_path, keep_months=1, keep_archives_months=1)
    assert LABEL in policy.carry_out()["deleted"]
    assert status() == MonthStatus.DELETED
    assert "was deleted" in months.note(done.pk)


def test_archive_that_fails_at_night_is_a_ticket_and_resolves_nothing(done: Run, tmp_path: Path) -> None:
    from exceptions.models import Ticket

    (tmp_path / "file").write_text("in the way")
    define(tmp_path / "file", keep_months=1)
    policy.carry_out()
    policy.carry_out()

    ticket = Ticket.objects.get(subject="system:archive")
    assert (ticket.reason, ticket.times_seen) == ("archive_failed", 2)
    assert "could not be made" in ticket.message


def test_commands_dry_run_archive_restore_and_list(done: Run, tmp_path: Path) -> None:
    dry = called("archive", "--month", LABEL, "--to", str(tmp_path), "--dry-run")
    assert [item["month"] for item in dry["archived"]] == [LABEL]
    assert list(tmp_path.iterdir()) == []

    called("archive", "--month", LABEL, "--to", str(tmp_path))
    listed = {item["month"]: item for item in called("partitions")["months"]}
    assert listed[LABEL]["status"] == MonthStatus.ARCHIVED
    [moved] = [path.rename(tmp_path / "moved") for path in tmp_path.iterdir()]
    with pytest.raises(CommandError, match="cannot be read"):
        called("restore", "--month", LABEL)
    assert called("restore", str(moved / files.MANIFEST))["status"] == MonthStatus.LIVE
    assert LineageFact.objects.exists()


def test_commands_say_what_is_wrong(month: None) -> None:
    for words, said in (
        (("archive",), "No Retention definition"),
        (("archive", "--month", "August", "--to", "/tmp"), "is not a month such as 2026-08"),
        (("archive", "--month", "1999-01", "--to", "/tmp"), "There is no month 1999-01"),
        (("restore",), "Name either"),
    ):
        with pytest.raises(CommandError, match=said):
            called(*words)


def test_only_one_at_a_time(done: Run, tmp_path: Path) -> None:
    import threading

    said: list[MeshlineError] = []

    def other() -> None:
        try:
            leave(tmp_path)
        except MeshlineError as error:
            said.append(error)
        finally:
            connection.close()

    with months.alone():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [error.code for error in said] == ["archiving"]


def define(folder: Path, **spec: Any) -> None:
    from syncflows.governance import apply
    from syncflows.governance import files as definition_files

    lines = "".join(f"  {name}: {value}\n" for name, value in spec.items())
    source = folder.parent / "definitions"
    source.mkdir(exist_ok=True)
    (source / "retention.yaml").write_text(
        f'apiVersion: meshline/v1\nkind: Retention\nmetadata: {{name: transactions}}\nspec:\n  archive_to: "file://{folder}"\n{lines}'
    )
    summary = apply.apply(definition_files.load(source), by=BY)
    assert not summary.problems, summary.problems


def called(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    found: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return found
