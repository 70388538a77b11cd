"""What each kind of definition may say: Pydantic models, whose JSON Schemas ship in `docs/schemas`. Pure: no database, no network."""

from syncflows.governance.schemas.documents import SPECS, Document, Metadata
from syncflows.governance.schemas.flows import Contract, Flow, Mapping, Policy, ReconcileRule, Step
from syncflows.governance.schemas.people import Crosswalk, Owners, Person, Route, RouteRule, Team
from syncflows.governance.schemas.retention import Retention
from syncflows.governance.schemas.systems import Operation, Secret, System, Webhook

__all__ = [
    "SPECS", "Contract", "Crosswalk", "Document", "Flow", "Mapping", "Metadata", "Operation", "Owners", "Person", "Policy", "ReconcileRule", "Retention", "Route",
    "RouteRule", "Secret", "Step", "System", "Team", "Webhook",
]  # fmt: skip
