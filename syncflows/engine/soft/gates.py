"""Do a document's gates hold? Pure: what is known goes in, a verdict with its reasons comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncflows.engine.enums import GateKind, GateState, StagedVerdict
from syncflows.governance.schemas.base import minutes
from syncflows.governance.schemas.flows import Promotion

ALL = "all"


@dataclass(frozen=True)
class Known:
    """Of one staged document. `verdict` and `verdict_at` of the last comparison (empty, None: never); `approved_fingerprint` what was approved."""

    fingerprint: str
    staged_at: datetime
    verdict: str = ""
    verdict_at: datetime | None = None
    approved_fingerprint: str = ""
    approved_by: str = ""


@dataclass(frozen=True)
class Gate:
    """`holds`: None while it may hold later by itself or by a person; False: it will not, as things stand. `ask_at`: when asking again may help."""

    kind: GateKind
    holds: bool | None
    why: str
    ask_at: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """`state` open: promote now. `ask_at`: when to ask again; None: only an act of somebody changes it."""

    state: GateState
    gates: tuple[Gate, ...]
    ask_at: datetime | None

    @property
    def reason(self) -> str:
        return "; ".join(gate.why for gate in self.gates)


def judge(promotion: Promotion, known: Known, *, now: datetime) -> Verdict:
    """All gates asked; open when all, or any, hold, as the flow says."""
    gates = tuple(_asked(promotion, known, now))
    held = [gate.holds is True for gate in gates]
    if all(held) if promotion.match == ALL else any(held):
        return Verdict(GateState.OPEN, gates, None)
    shut = [gate.holds is False for gate in gates]
    is_shut = any(shut) if promotion.match == ALL else all(shut)
    return Verdict(GateState.SHUT if is_shut else GateState.WAITING, gates, _ask_at(gates))


def needs_comparison(promotion: Promotion, known: Known, *, now: datetime) -> bool:
    """Whether the target must be asked before the gates can be judged."""
    rule = promotion.reconciled
    return rule is not None and _compared_until(known, minutes(rule.within)) <= now


def _asked(promotion: Promotion, known: Known, now: datetime) -> Iterator[Gate]:
    if promotion.reconciled:
        yield _reconciled(
            known, expect=promotion.reconciled.expect, within_minutes=minutes(promotion.reconciled.within), now=now
        )
    if promotion.approved:
        yield _approved(known, team=promotion.approved.team)
    if promotion.age:
        yield _aged(known, age_minutes=minutes(promotion.age), said=promotion.age, now=now)


def _reconciled(known: Known, *, expect: Collection[str], within_minutes: int, now: datetime) -> Gate:
    until = _compared_until(known, within_minutes)
    if not known.verdict or until <= now:
        return Gate(GateKind.RECONCILED, None, "reconciled: not compared with the target of late", now)
    said = StagedVerdict(known.verdict).label.lower()
    if known.verdict in expect:
        return Gate(GateKind.RECONCILED, True, f"reconciled: {said}", until)
    return Gate(GateKind.RECONCILED, False, f"reconciled: {said}", until)


def _approved(known: Known, *, team: str) -> Gate:
    if not known.approved_fingerprint:
        return Gate(GateKind.APPROVED, None, f"approved: waits for {team}")
    if known.approved_fingerprint != known.fingerprint:
        return Gate(GateKind.APPROVED, None, f"approved: another content was; {team} must look again")
    return Gate(GateKind.APPROVED, True, f"approved: by {known.approved_by}")


def _aged(known: Known, *, age_minutes: int, said: str, now: datetime) -> Gate:
    due = known.staged_at + timedelta(minutes=age_minutes)
    if now < due:
        return Gate(GateKind.AGE, None, f"age: staged for less than {said}", due)
    return Gate(GateKind.AGE, True, f"age: staged for {said} or longer")


def _compared_until(known: Known, within_minutes: int) -> datetime:
    """Until when the last comparison counts."""
    if known.verdict_at is None:
        return known.staged_at
    return known.verdict_at + timedelta(minutes=within_minutes)


def _ask_at(gates: tuple[Gate, ...]) -> datetime | None:
    """The first moment at which a gate that does not hold may."""
    return min((gate.ask_at for gate in gates if gate.holds is not True and gate.ask_at), default=None)
