"""Runs that must not go on now by a person's word: their flow is switched off, or an older event of their record is paused. Pure; decides before any stage.

P3: a newer event never overtakes a paused one silently. It waits behind it, says so, and goes on when that one does.
"""

from __future__ import annotations

from syncflows.engine import ordering
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from syncflows.enums import HoldReason
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

BEHIND = "run:"


def check(carry: Carry, lanes: ordering.Lanes, catalog: Catalog) -> None:
    """Bring the carry to rest where it has to wait."""
    run = carry.run
    flow = catalog.by_kind.get(Kind.FLOW, {}).get(run.flow)
    if flow is not None and not flow.spec.live:
        reason = f"The flow {run.flow} is switched off; this goes on by itself once it is live again"
        carry.rest = Rest(RunStatus.HELD, reason, hold_reason=HoldReason.FLOW_OFF, counts=False)
        return
    paused = lanes.paused.get((run.flow, run.lane))
    if paused is not None and ordering.place(paused) < ordering.place(run):
        reason = f"Waits behind {paused.public_id}, an older event of {run.canonical_key} that is paused, so as not to overtake it"
        carry.rest = Rest(RunStatus.HELD, reason, hold_reason=HoldReason.PAUSED, waits_for=behind(paused), counts=False)


def behind(run: Run) -> str:
    """What a run says that waits behind this one."""
    return f"{BEHIND}{run.public_id}"
