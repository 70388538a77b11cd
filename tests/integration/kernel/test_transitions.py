"""`move` is the one writer of a status: one winner, one history row, one act; nothing at all when it is refused."""

import threading

import pytest
from django.db import connection

from exceptions.enums import Resolution, TicketStatus
from exceptions.machines import TICKET
from exceptions.models import Ticket
from meshline.audit.models import AuditEvent
from meshline.kernel import actors, transitions
from meshline.kernel.errors import Conflict, MeshlineError, Missing
from tests.factories import tickets

ALICE = actors.Actor("user", "usr_alice", "Alice")


@pytest.mark.django_db(transaction=True)
def test_twenty_threads_have_one_winner() -> None:
    ticket = tickets.ticket()
    before = (ticket.history.count(), AuditEvent.objects.count())
    won: list[str] = []

    def acknowledge(name: str) -> None:
        try:
            transitions.move(
                Ticket,
                ticket.pk,
                machine=TICKET,
                expected=TicketStatus.OPEN,
                to=TicketStatus.ACKNOWLEDGED,
                by=ALICE,
                reason=name,
            )
            won.append(name)
        except Conflict:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=acknowledge, args=(str(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (ticket.history.count(), AuditEvent.objects.count()) == (before[0] + 1, before[1] + 1)


@pytest.mark.django_db
def test_refused_move_changes_nothing() -> None:
    ticket = tickets.ticket()
    before = (ticket.history.count(), AuditEvent.objects.count())
    refused: list[tuple[type[MeshlineError], str, str]] = [
        (Conflict, TicketStatus.WAITING, TicketStatus.RESOLVED),
        (Conflict, TicketStatus.OPEN, TicketStatus.OPEN),
    ]
    for error, expected, to in refused:
        with pytest.raises(error, match=ticket.public_id):
            transitions.move(
                Ticket, ticket.pk, machine=TICKET, expected=expected, to=to, by=ALICE, resolution=Resolution.ACCEPTED
            )
    with pytest.raises(Missing):
        transitions.move(Ticket, 0, machine=TICKET, expected=TicketStatus.OPEN, to=TicketStatus.RESOLVED, by=ALICE)
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    assert (ticket.history.count(), AuditEvent.objects.count()) == before
