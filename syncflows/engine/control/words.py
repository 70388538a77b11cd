"""What an act on runs is called where people read it, and what it will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from meshline.kernel.permissions import reason_against
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine.control import checks
from syncflows.engine.control.enums import RunAct
from syncflows.engine.enums import TERMINAL
from syncflows.engine.models import Run


@dataclass(frozen=True)
class Words:
    """`participle` completes "3 runs were …"; `key` of the list's bulk bar."""

    participle: str
    effect: str
    key: str = ""
    tone: str = "primary"


WORDS = {
    RunAct.RETRY_NOW: Words(
        "retried", "Due at once. What is done stays done; a write whose outcome is unknown is looked up first.", "r"
    ),
    RunAct.PAUSE: Words(
        "paused", "It stops until somebody resumes it. Newer events of the same record wait behind it.", "p"
    ),
    RunAct.RESUME: Words("resumed", "It goes on, with a fresh budget, and what waits behind it goes on after it.", "u"),
    RunAct.SKIP: Words(
        "skipped",
        "The failed step is left out for good and what follows goes on, where the flow allows that.",
        "s",
        "warning",
    ),
    RunAct.GIVE_UP: Words(
        "given up", "It ends without its outcome. What it wrote stays where it is, and becomes a ticket.", "", "danger"
    ),
}
# On the page of a run, one that stands against an act is not worth a greyed button but for these.
ALWAYS_SHOWN = (RunAct.RETRY_NOW, RunAct.GIVE_UP)


def buttons(run: Run, user: User | AnonymousUser) -> list[dict[str, Any]]:
    """The acts on one run, each with what stands against it; none for a run that has ended. Three queries."""
    if run.status in TERMINAL:
        return []
    known = checks.Known.of([run])
    found = [(act, reason_against(checks.check_user_can_act, user, run, act, known)) for act in RunAct]
    return [
        {"label": act.label, "url": reverse("run-act", args=[run.public_id, act.value]), "against": against}
        for act, against in found
        if not against or act in ALWAYS_SHOWN
    ]


def bar(user: User | AnonymousUser) -> list[dict[str, Any]]:
    """The acts under the list."""
    against = reason_against(check_user_can, user, Ability.CONTROL_RUNS)
    return [
        {
            "action": act.value,
            "label": act.label,
            "key": WORDS[act].key,
            "against": against,
            "primary": act == RunAct.RETRY_NOW,
        }
        for act in RunAct
    ]
