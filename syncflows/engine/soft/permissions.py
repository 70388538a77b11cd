"""May this person do that to staged documents? Raises a sentence, which is also the disabled button's tooltip and the API's error.

Must not write. What is known of a person is read once for any number of documents.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from meshline.kernel import actors
from meshline.kernel.errors import NotAllowed
from ownership.enums import Role
from ownership.models import User
from ownership.permissions import Ability, check_user_can
from syncflows.engine.enums import FactKind, StagedAction
from syncflows.engine.models import LineageFact
from syncflows.engine.soft.models import StagedBatch, StagedDocument
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas.flows import Promotion

ABILITY = {
    StagedAction.PROMOTE: Ability.PROMOTE_STAGED,
    StagedAction.ADOPT: Ability.PROMOTE_STAGED,
    StagedAction.REVOKE: Ability.PROMOTE_STAGED,
    StagedAction.COMPARE: Ability.PROMOTE_STAGED,
    StagedAction.APPROVE: Ability.DECIDE_APPROVALS,
}


@dataclass(frozen=True)
class Approver:
    """What must be known of a person who approves: their teams, the imports they made, the events they corrected."""

    user: User
    teams: frozenset[str]
    batches: frozenset[str]
    corrected: frozenset[int]

    @classmethod
    def of(cls, user: User, documents: Collection[StagedDocument]) -> Approver:
        """Three queries, whatever the number of documents. Documents with their runs."""
        labels = {row.batch for row in documents if row.batch}
        imported = StagedBatch.objects.filter(label__in=labels, importers__contains=[user.public_id])
        facts = LineageFact.objects.filter(
            event_id__in={row.run.event_id for row in documents}, kind=FactKind.CORRECTED, actor=str(actors.of(user))
        )
        return cls(
            user,
            frozenset(user.teams.values_list("name", flat=True)),
            frozenset(imported.values_list("label", flat=True)),
            frozenset(number for number in facts.values_list("event_id", flat=True) if number),
        )


def check_user_can_act(user: User, action: StagedAction) -> None:
    """Raises NotAllowed."""
    check_user_can(user, ABILITY[action])


def promotion_of(catalog: Catalog, flow: str) -> Promotion | None:
    """The gates of a flow; None where it has none, or is gone."""
    found = catalog.by_kind.get(Kind.FLOW, {}).get(flow)
    promotion: Promotion | None = found.spec.promotion if found else None
    return promotion


def refusal_to_approve(who: Approver, row: StagedDocument, promotion: Promotion | None) -> NotAllowed | None:
    """Four eyes: a member of the approving team (or an admin) who neither imported, asked for nor corrected it."""
    user = who.user
    team = promotion.approved.team if promotion and promotion.approved else ""
    if team and team not in who.teams and not (user.is_superuser or user.role == Role.ADMIN):
        return NotAllowed(
            f"{row.public_id} is approved by {team}, and you are not a member. Ask one of them.", code="not_in_team"
        )
    if row.batch and row.batch in who.batches:
        return _four_eyes(row, f"You imported {row.batch}, to which {row.public_id} belongs.")
    if _means(row.requester, user):
        return _four_eyes(row, f"{row.public_id} was asked for by {row.requester}, which is you.")
    if row.run.event_id in who.corrected:
        return _four_eyes(row, f"You corrected the record behind {row.public_id}.")
    return None


def _four_eyes(row: StagedDocument, what: str) -> NotAllowed:
    return NotAllowed(f"{what} Somebody else must approve it.", code="four_eyes", context={"staged": row.public_id})


def _means(requester: str, user: User) -> bool:
    """Whether the source's name of who asked means this person: username, mail address or full name, whatever the case."""
    asked = " ".join(requester.split()).casefold()
    names = (user.username, user.email, user.get_full_name(), user.public_id)
    return bool(asked) and asked in {" ".join((name or "").split()).casefold() for name in names}
