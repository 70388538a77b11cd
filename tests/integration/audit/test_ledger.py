"""The trail proves itself: append-only in the database, chained, and its first bad row is named."""

import io
import json
import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from meshline.audit import ledger
from meshline.audit.models import AuditEvent
from meshline.kernel import actors

ALICE = actors.Actor("user", "usr_alice", "Alice")


def append(number: int) -> AuditEvent:
    return ledger.append(
        act="ticket.resolved",
        by=ALICE,
        object_kind="ticket",
        object_id=f"tkt_{number}",
        reason="dé\u0301jà 🙂",
        detail={"n": number, "amount": "1.50"},
    )


@pytest.mark.django_db
def test_chain_verifies_and_names_the_first_bad_row() -> None:
    for number in range(5):
        append(number)
    assert ledger.verify() == ledger.Verdict(5, None)

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only")
        cursor.execute("UPDATE audit_auditevent SET reason = 'quietly changed' WHERE number = 3")
    assert ledger.verify().bad_number == 3

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE number = 2")
    verdict = ledger.verify()
    assert verdict.bad_number == 3
    assert "2 is missing" in verdict.problem


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE audit_auditevent SET reason = 'x'", "DELETE FROM audit_auditevent"])
def test_database_refuses_changes(statement: str) -> None:
    append(1)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEvent.objects.get().reason.endswith("🙂")


@pytest.mark.django_db(transaction=True)
def test_threads_append_one_chain_without_gaps() -> None:
    def work(start: int) -> None:
        for number in range(start, start + 10):
            append(number)
        connection.close()

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify() == ledger.Verdict(80, None)


@pytest.mark.django_db
def test_command_verifies_and_exports(tmp_path: Path) -> None:
    append(1)
    out = io.StringIO()
    call_command("verify_audit", "--export", str(tmp_path / "trail.jsonl"), stdout=out)
    assert json.loads(out.getvalue()) == {"checked": 1, "bad_number": None, "problem": ""}
    assert json.loads((tmp_path / "trail.jsonl").read_text())["object_id"] == "tkt_1"
    with pytest.raises(CommandError, match="Cannot write"):
        call_command("verify_audit", "--export", str(tmp_path / "no" / "such"), stdout=out)
