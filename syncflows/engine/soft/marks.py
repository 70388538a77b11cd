"""What a run and its steps say about soft commit: is this step soft, was exactly this document promoted, is this a staged import. Pure.

A promotion is a clearance on the run (`policy` soft-commit), bound to the fingerprint of the document: other content is not promoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from meshline.kernel import fingerprint
from syncflows.engine.enums import StagedAction
from syncflows.engine.models import Run, Step
from syncflows.enums import HoldReason
from syncflows.governance.schemas.flows import Flow

CLEARANCE = "soft-commit"
SOFT = "soft"


def is_soft(run: Run, flow: Flow, step: Step) -> bool:
    """Whether this write is staged first: every write of a staged import is, else as step or flow say."""
    return bool(run.batch) or (flow.steps[step.index].commit or flow.commit) == SOFT


def may_stage(run: Run, flow: Flow) -> bool:
    """Whether any write of the run may be staged, or was."""
    return bool(run.batch or decisions(run)) or flow.commit == SOFT or any(step.commit == SOFT for step in flow.steps)


def content(step: Step) -> str:
    """The fingerprint that approvals and promotions are bound to."""
    return fingerprint.of([step.system, step.operation, step.reference, step.external_id, step.document_fingerprint])


def clearance(*, step: str, content: str, mode: str, via: str, by: str, at: datetime) -> dict[str, Any]:
    """The decision as the run keeps it."""
    return {
        "policy": CLEARANCE, "rule": step, "fingerprint": content, "mode": mode, "via": via, "by": by, "at": at.isoformat(),
    }  # fmt: skip


def decisions(run: Run) -> list[Mapping[str, Any]]:
    return [found for found in run.clearances if found.get("policy") == CLEARANCE]


def decision(run: Run, step: Step) -> Mapping[str, Any] | None:
    """The last decision on exactly this document, if any."""
    wanted = content(step)
    return next((found for found in reversed(decisions(run)) if found["fingerprint"] == wanted), None)


def is_adoption(decided: Mapping[str, Any]) -> bool:
    return bool(decided["mode"] == StagedAction.ADOPT)


def is_import(run: Run) -> bool:
    """Whether it is imported history that nobody has promoted: no clocks, no tickets of its own, no questions to people."""
    return bool(run.batch) and all(is_adoption(found) for found in decisions(run))


def holds_staged(run: Run) -> bool:
    """Whether documents of this run may be live in the soft ledger."""
    return run.hold_reason == HoldReason.STAGED or bool(decisions(run))
