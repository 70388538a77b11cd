"""Which status of reconciliation runs and discrepancies may follow which."""

from meshline.kernel.transitions import Machine
from reconciliation.enums import DiscrepancyStatus as D
from reconciliation.enums import ReconciliationStatus as R

RECONCILIATION = Machine("reconciliation", {R.RUNNING: {R.COMPLETED, R.FAILED}, R.COMPLETED: set(), R.FAILED: set()})
DISCREPANCY = Machine("discrepancy", {D.OPEN: {D.RESOLVED}, D.RESOLVED: {D.OPEN}})
