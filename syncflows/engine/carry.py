"""One run on its way through a batch: what the stages read and what they decided. Pure data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import Scope
from syncflows.engine import lineage
from syncflows.engine.enums import FactKind, RunStatus
from syncflows.engine.lineage import Fact, Name
from syncflows.engine.models import Run, Step, WriteAttempt
from syncflows.enums import HoldReason
from syncflows.governance.catalog import Versioned
from syncflows.hooks import Failure

CHANGED_BY_WRITING = (
    "steps",
    "attempts",
    "rest",
    "wanted",
    "facts",
    "keys",
    "staged",
    "originals",
    "originals_known",
    "left",
    "let_go",
    "turned",
)


@dataclass(frozen=True)
class Rest:
    """Where a run comes to rest, and why: `reason` a sentence; `due_at` for retrying; `failure` what becomes its ticket; `counts` whether this was one of the tries that a system's retry policy allows."""

    status: RunStatus
    reason: str
    due_at: datetime | None = None
    hold_reason: HoldReason | None = None
    waits_for: str = ""
    failure: Failure | None = None
    counts: bool = True


@dataclass(eq=False)
class Carry:
    """A run with its definitions. `names` are the variables expressions read; `facts` and `keys` are written with the next transaction;
    `attempts` the last try of each step, by the step's row number; `broken` why its definitions could not be loaded; `wanted` what a step should become once an earlier, unanswered write of it is known not to exist; `staged` the steps that go into the soft ledger instead of out;
    `gone` ids that earlier rounds of a step took back; `let_go` the outcomes of steps that failed and are not required.
    Of a run that goes backwards: `originals` the steps its undos take back, by place, `left` what stays, in words; `turned` whether it turned round just now."""

    run: Run
    flow: Versioned
    contract: Versioned
    mapping: Versioned
    policies: list[Versioned]
    payload: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    scope: Scope | None = None
    steps: list[Step] = field(default_factory=list)
    attempts: dict[int, WriteAttempt] = field(default_factory=dict)
    rest: Rest | None = None
    broken: MeshlineError | None = None
    wanted: dict[int, Step] = field(default_factory=dict)
    staged: list[Step] = field(default_factory=list)
    supersedes: bool = False
    business_date: str = ""
    requester: str = ""
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    gone: dict[int, set[str]] = field(default_factory=dict)
    let_go: dict[int, Any] = field(default_factory=dict)
    turned: bool = False
    originals: dict[int, Step] = field(default_factory=dict)
    originals_known: bool = False
    left: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    keys: list[Name] = field(default_factory=list)

    @property
    def backward(self) -> bool:
        """Whether what the run wrote is being taken back."""
        return self.run.compensation is not None

    def say(self, kind: FactKind, summary: str, **detail: Any) -> None:
        """Add a fact to be written."""
        self.facts.append(lineage.of_run(self.run, kind, summary, **detail))

    def known_as(self, value: str, kind: str) -> None:
        """Add a name by which the record is found."""
        self.keys.append(lineage.key(value, kind, self.run.event_id, self.run.pk))

    def remember(self) -> Callable[[], None]:
        """What brings the carry and its rows back to this moment, after a transaction that was rolled back."""
        rows = [self.run, *self.steps, *self.wanted.values(), *self.attempts.values(), *self.originals.values()]
        kept = [(row, dict(row.__dict__)) for row in rows]
        own = {name: copy.copy(getattr(self, name)) for name in CHANGED_BY_WRITING}

        def restore() -> None:
            for row, values in kept:
                row.__dict__.clear()
                row.__dict__.update(values)
            for name, value in own.items():
                setattr(self, name, copy.copy(value))

        return restore

    @property
    def document(self) -> dict[str, Any]:
        """The canonical object."""
        found: dict[str, Any] = {} if self.broken else self.names.get(self.mapping.spec.object, {})
        return found
