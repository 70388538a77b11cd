"""Loads what a batch needs: its runs with their events and definitions, and the newest run of each lane."""

from __future__ import annotations

from typing import Any

from meshline.kernel.errors import MeshlineError
from syncflows.engine.carry import Carry
from syncflows.engine.claims import Lease
from syncflows.engine.models import Run
from syncflows.governance import catalog as definitions
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind

NOTHING = Versioned(0, "", "", "", 0, "", None)


def load(lease: Lease, catalog: Catalog) -> list[Carry]:
    """The lease's runs as carries, in claimed order of importance. A run whose definitions are gone is loaded as broken."""
    rows = Run.objects.select_related("event").filter(pk__in=lease.run_ids).order_by("priority", "due_at", "pk")
    return [carry_of(run, catalog) for run in rows]


def carry_of(run: Run, catalog: Catalog) -> Carry:
    """The run with its definitions: those in force, or the versions it was replayed with. Broken where one is gone."""
    try:
        if run.replay and run.replay.get("versions"):
            return _pinned(run, run.replay["versions"])
        flow = catalog.get(Kind.FLOW, run.flow)
        contract = catalog.get(Kind.CONTRACT, flow.spec.trigger.contract)
        mapping = catalog.get(Kind.MAPPING, flow.spec.mapping)
        policies = [catalog.get(Kind.POLICY, name) for name in flow.spec.policies]
    except MeshlineError as error:
        return Carry(run, NOTHING, NOTHING, NOTHING, [], broken=error)
    run.flow_version_id = flow.id
    return Carry(run, flow, contract, mapping, policies)


def _pinned(run: Run, versions: dict[str, Any]) -> Carry:
    flow, contract, mapping = (definitions.kept(versions[kind]) for kind in ("flow", "contract", "mapping"))
    policies = [definitions.kept(number) for number in versions["policies"]]
    run.flow_version_id = flow.id
    return Carry(run, flow, contract, mapping, policies)
