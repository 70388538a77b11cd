"""What reconciliation registers below it: the proof of its tickets, and the navigation's badge. Called once at start; must not touch the database."""

from __future__ import annotations

from exceptions import proofs
from exceptions.enums import Resolution
from exceptions.models import Ticket
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Unavailable
from meshline.kernel.navigation import Badge, User, register_badge
from meshline.kernel.ui_enums import Tone
from reconciliation import discrepancies, recheck, selectors, staged
from reconciliation.models import Discrepancy
from syncflows import hooks
from syncflows.connectors.errors import ConnectorError


def register() -> None:
    proofs.require(discrepancies.SUBJECT, proofs.Proof(prove=prove, waive=waive))
    register_badge("reconciliation", badge)
    hooks.on_compare_staged(staged.see)


def prove(ticket: Ticket, note: str, by: Actor) -> None:
    """Look at both sides again. Raises Conflict with what still differs, Unavailable where the target does not answer."""
    try:
        found = recheck.recheck(_ident(ticket), by=by, note=note)
    except ConnectorError as error:
        raise Unavailable(
            f"{ticket.public_id} cannot be resolved now, as nothing could be checked: {error.message}",
            code="target_failed",
        ) from error
    if not found.agrees:
        raise Conflict(
            f"{ticket.public_id} cannot be resolved yet. {found.message} Correct it first, or resolve it as accepted or written off, with the reason.",
            code="still_differs",
        )


def waive(ticket: Ticket, resolution: Resolution, note: str, by: Actor) -> None:
    """A person takes the difference as it is: it stays quiet for as long as it stays the same."""
    rows = list(Discrepancy.objects.filter(public_id=_ident(ticket)))
    discrepancies.resolve(rows, note=f"{resolution.label}: {note}", by=by, close_tickets=False)


def badge(user: User) -> Badge | None:
    count = selectors.open_count()
    return Badge(count, "open discrepancies", Tone.ORANGE) if count else None


def _ident(ticket: Ticket) -> str:
    return ticket.subject.removeprefix(discrepancies.SUBJECT)
