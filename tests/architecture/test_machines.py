"""Statuses: every machine covers its enum, and `kernel.transitions` is the only writer of one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from exceptions import machines as exception_machines
from exceptions.enums import ApprovalStatus, TicketStatus
from meshline.kernel.errors import Conflict
from meshline.kernel.transitions import Machine
from reconciliation import machines as reconciliation_machines
from reconciliation.enums import DiscrepancyStatus, ReconciliationStatus
from syncflows.engine import machines as engine_machines
from syncflows.engine.archives.enums import MonthStatus
from syncflows.engine.enums import EventStatus, RunStatus, StagedStatus
from syncflows.engine.replays.enums import ReplayStatus

ROOT = Path(__file__).resolve().parents[2]
MACHINES = [
    (engine_machines.RUN, RunStatus),
    (engine_machines.EVENT, EventStatus),
    (engine_machines.REPLAY, ReplayStatus),
    (engine_machines.STAGED, StagedStatus),
    (engine_machines.MONTH, MonthStatus),
    (exception_machines.TICKET, TicketStatus),
    (exception_machines.APPROVAL, ApprovalStatus),
    (reconciliation_machines.RECONCILIATION, ReconciliationStatus),
    (reconciliation_machines.DISCREPANCY, DiscrepancyStatus),
]
# Steps and attempts have no machine: their trail is the write protocol's own facts, in these modules and nowhere else.
PROTOCOL = {
    "syncflows/engine/recording.py",
    "syncflows/engine/adoption.py",
    "syncflows/engine/plans.py",
    "syncflows/engine/execute.py",
    "syncflows/engine/runs.py",
    "syncflows/engine/compensation.py",
    "syncflows/engine/taking_back.py",
}
# Not statuses of records: an answer's HTTP status, a system of the sandbox, which is another program.
OTHERS = ("meshline/kernel/", "syncflows/sandbox/", "syncflows/connectors/", "meshline/demo/")


@pytest.mark.parametrize(("machine", "statuses"), MACHINES, ids=[machine.name for machine, _ in MACHINES])
def test_machine_covers_its_enum(machine: Machine, statuses: type[RunStatus]) -> None:
    assert set(machine.arrows) == set(statuses.values)
    assert {to for arrows in machine.arrows.values() for to in arrows} <= set(statuses.values)


@pytest.mark.parametrize(("machine", "statuses"), MACHINES, ids=[machine.name for machine, _ in MACHINES])
def test_machine_refuses_every_arrow_it_does_not_have(machine: Machine, statuses: type[RunStatus]) -> None:
    for found in statuses.values:
        for to in statuses.values:
            if to in machine.arrows[found]:
                machine.check(found=found, to=to, ident="x_1")
            else:
                with pytest.raises(Conflict, match="x_1"):
                    machine.check(found=found, to=to, ident="x_1")


def test_nothing_else_writes_a_status() -> None:
    found = [f"{path}:{line}" for path in _sources() for line in _writes(ROOT / path)]
    assert found == [], "write it through kernel.transitions"


def _sources() -> list[str]:
    files = [
        path.relative_to(ROOT).as_posix()
        for part in ("meshline", "ownership", "syncflows", "exceptions", "reconciliation")
        for path in (ROOT / part).rglob("*.py")
    ]
    return [
        path for path in files if path not in PROTOCOL and not path.startswith(OTHERS) and "/migrations/" not in path
    ]


def _writes(path: Path) -> list[int]:
    """Lines that assign `something.status` or update rows with `status=`."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = [
                part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])
            ]
            lines += [node.lineno for target in named if isinstance(target, ast.Attribute) and target.attr == "status"]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
            lines += [node.lineno for keyword in node.keywords if keyword.arg == "status"]
    return lines
