"""Every flow that has a rule, one after the other. One that fails never stops the others."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError

from meshline.kernel.actors import Actor
from meshline.kernel.errors import MeshlineError
from reconciliation import runs
from reconciliation.models import ReconciliationRun

log = logging.getLogger(__name__)


def compare_all(*, by: Actor) -> list[ReconciliationRun]:
    """The runs made, failed ones among them. Raises only when the database is gone."""
    made = []
    for flow in runs.flows_with_rule():
        try:
            made.append(runs.start(flow=flow, by=by))
        except MeshlineError as error:
            log.warning("nightly comparison of %s was not made: %s", flow, error)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("nightly comparison of %s failed", flow)  # its run and its ticket say so too
    return made
