import pytest

from reconciliation.enums import DiscrepancyStatus, ReconciliationStatus
from reconciliation.machines import DISCREPANCY, RECONCILIATION


@pytest.mark.parametrize(
    ("machine", "statuses"), [(RECONCILIATION, ReconciliationStatus), (DISCREPANCY, DiscrepancyStatus)]
)
def test_machines_cover_every_status(machine, statuses):
    assert set(machine.arrows) == set(statuses)
    assert {to for arrows in machine.arrows.values() for to in arrows} <= set(statuses)
