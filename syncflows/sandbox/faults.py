"""Faults on demand: what may go wrong, whether it goes wrong this time, and renaming fields.

Decides only; delaying, cutting and answering is the exchange's business. Each fault draws from its own seeded
generator, so the same requests meet the same faults again.
"""

import json
import random
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, StrictInt, model_validator

from syncflows.sandbox.enums import FaultKind, SystemName
from syncflows.sandbox.errors import not_found
from syncflows.sandbox.fields import Input, Reference
from syncflows.sandbox.store import Store

FieldPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", max_length=200)]
REQUIRED = {
    FaultKind.LATENCY: ("ms",),
    FaultKind.STATUS: ("status",),
    FaultKind.STATUS_AFTER_COMMIT: ("status",),
    FaultKind.TIMEOUT_AFTER_COMMIT: ("hang_s",),
    FaultKind.RENAME_FIELD: ("from_", "to"),
}


class FaultParams(Input):
    ms: Annotated[float, Field(strict=True, ge=0, le=600_000)] | None = None
    status: Annotated[StrictInt, Field(ge=400, le=599)] | None = None
    retry_after: Annotated[StrictInt, Field(ge=0, le=86_400)] | None = None
    hang_s: Annotated[float, Field(strict=True, ge=0, le=3600)] | None = None
    from_: FieldPath | None = Field(default=None, alias="from")
    to: FieldPath | None = None


class Fault(Input):
    """`count` is how many uses remain; absent means without end."""

    id: Reference | None = None
    system: SystemName
    kind: FaultKind
    method: Annotated[str, Field(pattern="^(GET|POST|PUT|PATCH|DELETE)$")] | None = None
    path_prefix: Annotated[str, Field(max_length=500)] | None = None
    probability: Annotated[float, Field(strict=True, ge=0, le=1)] = 1.0
    count: Annotated[StrictInt, Field(ge=1, le=1_000_000_000)] | None = None
    seed: StrictInt | None = None
    params: FaultParams = FaultParams()

    @model_validator(mode="after")
    def check_params(self) -> "Fault":
        missing = [name for name in REQUIRED.get(FaultKind(self.kind), ()) if getattr(self.params, name) is None]
        if missing:
            raise ValueError(f"{self.kind} needs params {', '.join(name.rstrip('_') for name in missing)}")
        source, target = self.params.from_ or "", self.params.to or ""
        if "." in target and target.rpartition(".")[0] != source.rpartition(".")[0]:
            raise ValueError("params.to must be a plain name or stay under the same parent as params.from")
        return self

    def covers(self, system: str, method: str, path: str) -> bool:
        if self.system != system or self.method not in (None, method):
            return False
        prefix = self.path_prefix or ""
        return path.startswith(prefix) or path.removeprefix(f"/{system}").startswith(prefix)

    def shape(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True)


class Faults:
    """The active faults: in memory for speed, in the store so that they outlive a kill."""

    def __init__(self, store: Store, *, seed: int) -> None:
        self._store = store
        self._seed = seed
        rows = store.execute("SELECT body FROM faults ORDER BY rowid").fetchall()
        self._active = [Fault.model_validate(json.loads(row["body"])) for row in rows]
        self._draws: dict[str, random.Random] = {}

    def all(self) -> list[Fault]:
        return list(self._active)

    def reseed(self, seed: int) -> None:
        self._seed = seed
        self._draws.clear()

    def add(self, fault: Fault) -> Fault:
        """Switch a fault on; one with the same id is replaced."""
        fault.id = fault.id or f"flt_{self._store.next_number('faults')}"
        self._forget(fault.id)
        self._active.append(fault)
        self._save(fault)
        return fault

    def remove(self, fault_id: str) -> None:
        """Raises ApiError 404."""
        if not any(fault.id == fault_id for fault in self._active):
            raise not_found("fault", fault_id)
        self._forget(fault_id)
        self._store.execute("DELETE FROM faults WHERE id = ?", (fault_id,))

    def clear(self) -> None:
        self._active.clear()
        self._draws.clear()
        self._store.execute("DELETE FROM faults")

    def fire(self, kinds: Iterable[FaultKind], system: str, method: str, path: str) -> list[Fault]:
        """The faults of these kinds that strike this request; each use is counted."""
        if not self._active:
            return []
        wanted = frozenset(kinds)
        found = [f for f in self._active if f.kind in wanted and f.covers(system, method, path)]
        return [fault for fault in found if self._strikes(fault)]

    def fire_first(self, kinds: Iterable[FaultKind], system: str, method: str, path: str) -> Fault | None:
        """The first fault that strikes; those behind it are neither drawn nor counted."""
        wanted = frozenset(kinds)
        found = (f for f in list(self._active) if f.kind in wanted and f.covers(system, method, path))
        return next((fault for fault in found if self._strikes(fault)), None)

    def _strikes(self, fault: Fault) -> bool:
        seed = self._seed if fault.seed is None else fault.seed
        draw = self._draws.setdefault(str(fault.id), random.Random(f"{seed}:{fault.id}"))
        if fault.probability < 1 and draw.random() >= fault.probability:
            return False
        self._use(fault)
        return True

    def _use(self, fault: Fault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count:
            self._save(fault)
        else:
            self.remove(str(fault.id))

    def _save(self, fault: Fault) -> None:
        self._store.execute("INSERT OR REPLACE INTO faults VALUES (?, ?)", (fault.id, json.dumps(fault.shape())))

    def _forget(self, fault_id: str) -> None:
        self._active = [fault for fault in self._active if fault.id != fault_id]
        self._draws.pop(fault_id, None)


def rename(body: Any, source: str, target: str) -> Any:
    """`body` with the field at dotted path `source` named `target`; lists on the way are walked through."""
    if isinstance(body, list):
        return [rename(item, source, target) for item in body]
    if not isinstance(body, dict):
        return body
    head, _, rest = source.partition(".")
    if rest:
        return {key: rename(value, rest, target) if key == head else value for key, value in body.items()}
    name = target.rpartition(".")[2]
    return {(name if key == head else key): value for key, value in body.items()}


def rename_all(body: Any, faults: Iterable[Fault]) -> Any:
    for fault in faults:
        body = rename(body, str(fault.params.from_), str(fault.params.to))
    return body
