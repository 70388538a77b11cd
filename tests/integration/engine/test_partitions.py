"""Months as partitions: made ahead, opened by the database's clock, late without harm; and lanes that stay serial across them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from syncflows.engine import claims, partitions
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.models import Event, LineageFact, Run
from syncflows.engine.partitions import Month

THREADS = 20
ROUNDS = 5


def months_of(table: str) -> list[partitions.Partition]:
    return [item for item in partitions.listing() if item.table == table]


def waiting(*, pk: int, sequence: str) -> Run:
    return Run.objects.create(
        pk=pk, event_id=pk, flow="deals", lane="deal:D1", canonical_key="D1", correlation_id="c", sequence=sequence, due_at=timezone.now()
    )  # fmt: skip


def this_month() -> Month:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
        return Month.of(cursor.fetchone()[0])


def next_value(sequence: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT nextval('{sequence}')")
        return int(cursor.fetchone()[0])


def test_month_is_a_block_of_ids_that_json_numbers_hold() -> None:
    month = Month.of(datetime(2026, 11, 20, tzinfo=UTC))

    assert str(month) == "2026-11"
    assert Month.of_key(month.first_key) == Month.of_key(month.next.first_key - 1) == month
    assert Month.of(datetime(2200, 12, 31, tzinfo=UTC)).next.first_key < 2**53


def test_partitions_are_made_ahead_once_and_with_all_indexes(db: None) -> None:
    made = partitions.keep(ahead=3)

    assert len(made) >= 3 * len(partitions.ALL) - len(partitions.ALL)
    assert partitions.keep(ahead=3) == []
    for monthly in partitions.ALL:
        found = months_of(monthly.table)
        assert found[-1].past == Month(this_month().number + 4).first_key
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename, count(*) FROM pg_indexes WHERE tablename = ANY(%s) GROUP BY 1",
                [[item.name for item in found]],
            )
            assert len({number for _, number in cursor.fetchall()}) == 1, "a partition lacks an index of its siblings"


def test_month_is_opened_once_and_never_back(db: None) -> None:
    partitions.keep()
    first = next_value("engine_run_id_seq")
    partitions.keep()

    assert next_value("engine_run_id_seq") == first + 1
    assert Month.of_key(first) >= this_month()


def test_rows_that_come_before_the_month_is_opened_go_into_the_partition_before(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('engine_event_id_seq', 7)")
    late = Event.objects.create(source="crm", source_event_id="e-1", type="t", correlation_id="c")
    partitions.keep()
    after = Event.objects.create(source="crm", source_event_id="e-2", type="t", correlation_id="c")

    assert late.pk == 8
    assert Month.of_key(after.pk) == this_month()


def test_same_public_id_twice_in_a_month_is_refused(db: None) -> None:
    partitions.keep(ahead=1)
    for pk in (this_month().first_key + 1, this_month().next.first_key + 1):
        Run.objects.create(
            pk=pk,
            public_id=f"run_{pk}"[:24],
            event_id=pk,
            flow="f",
            lane="l",
            correlation_id="c",
            due_at=timezone.now(),
        )
        with pytest.raises(IntegrityError), transaction.atomic():
            Run.objects.create(pk=pk + 1, public_id=f"run_{pk}"[:24], event_id=pk + 1, flow="f", lane="m", correlation_id="c", due_at=timezone.now())  # fmt: skip


def test_lineage_of_a_later_month_is_append_only_too(db: None) -> None:
    partitions.keep(ahead=1)
    fact = LineageFact.objects.create(
        pk=this_month().next.first_key + 1, event_id=1, at=timezone.now(), kind=FactKind.RECEIVED, summary="x"
    )

    for act in (lambda: LineageFact.objects.update(summary="y"), fact.delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def test_lane_being_claimed_is_left_alone_though_its_other_run_is_in_another_month(transactional_db: None) -> None:
    partitions.keep(ahead=1)
    newer = waiting(pk=5, sequence="2")
    with transaction.atomic():
        assert claims._claimable(10) == [newer.pk]
        elsewhere: list[Any] = []
        other = threading.Thread(target=_arrive_and_claim, args=(elsewhere,))
        other.start()
        other.join()

    assert elsewhere == [()]


def test_run_is_not_claimed_while_one_of_its_lane_runs_in_another_month(transactional_db: None) -> None:
    partitions.keep(ahead=1)
    running, older = waiting(pk=5, sequence="2"), waiting(pk=this_month().next.first_key, sequence="1")
    Run.objects.filter(pk=running.pk).update(status=RunStatus.RUNNING)

    assert claims.claim(limit=10).run_ids == ()
    assert not claims._unless_lane_runs([older.pk]).exists()


def test_twenty_threads_and_two_months_leave_one_running_run_in_a_lane(transactional_db: None) -> None:
    partitions.keep(ahead=1)
    for number in range(ROUNDS):
        Run.objects.all().delete()
        waiting(pk=10 + number, sequence="2")
        start, won = threading.Barrier(THREADS), list[Any]()
        threads = [threading.Thread(target=_race, args=(start, won, place, number)) for place in range(THREADS)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

        assert Run.objects.count() == 2
        assert Run.objects.filter(status=RunStatus.RUNNING).count() == 1
        assert len([lease for lease in won if lease]) == 1


def _race(start: threading.Barrier, won: list[Any], place: int, number: int) -> None:
    start.wait()
    if place == 7:
        waiting(pk=this_month().next.first_key + number, sequence="1")
    won.append(claims.claim(limit=10).run_ids)
    connection.close()


def _arrive_and_claim(elsewhere: list[Any]) -> None:
    waiting(pk=this_month().next.first_key, sequence="1")
    elsewhere.append(claims.claim(limit=10).run_ids)
    connection.close()
