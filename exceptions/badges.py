"""The counts beside Queue and Approvals in the header. Reads only, one indexed query each."""

from __future__ import annotations

from django.db.models import Count, Q
from django.utils import timezone

from exceptions import selectors
from exceptions.filters import live
from exceptions.models import Ticket
from meshline.kernel.navigation import Badge
from meshline.kernel.ui_enums import Tone
from ownership.models import User


def of_queue(user: User) -> Badge | None:
    """One's own open tickets; everybody's for somebody who has none. Red once one of them is past its clock."""
    mine, late = Q(owner_id=user.pk), Q(due_at__lte=timezone.now())
    found = Ticket.objects.filter(live()).aggregate(
        all=Count("pk"),
        late=Count("pk", filter=late),
        mine=Count("pk", filter=mine),
        mine_late=Count("pk", filter=mine & late),
    )
    count, breached, meaning = (
        (found["mine"], found["mine_late"], "open tickets of yours")
        if found["mine"]
        else (found["all"], found["late"], "open tickets")
    )
    return Badge(count, meaning, Tone.RED if breached else Tone.NEUTRAL)


def of_approvals(user: User) -> Badge | None:
    return Badge(selectors.pending_approvals_of(user), "approvals waiting for you", Tone.YELLOW)
