"""A small CRM's definitions as rows, for tests of what comes in."""

from typing import Any

from meshline.kernel import fingerprint
from syncflows.governance.enums import Kind
from syncflows.governance.models import Definition, DefinitionVersion

SYSTEM = {"connector": "http", "base_url": "http://127.0.0.1:9"}
DEAL = {
    "version": "1.0.0",
    "system": "crm",
    "types": ["deal.won", "deal.lost"],
    "object": "order",
    "csv": {"columns": ["deal_id", "amount"]},
    "read": {"deal_id": "text", "amount": "decimal", "closed": {"type": "date", "formats": ["%Y-%m-%d", "%m/%d/%Y"]}},
    "key": "payload.deal_id",
    "sequence": "'closed' in payload && payload.closed != null ? payload.closed : ''",
    "schema": {"type": "object"},
}
FLOW = {"trigger": {"contract": "crm-deal"}, "mapping": "deal-to-order", "priority": 50}


def activate(kind: Kind, name: str, spec: dict[str, Any]) -> DefinitionVersion:
    """The spec as the next active version of its definition."""
    document = {"apiVersion": "meshline/v1", "kind": kind.value, "metadata": {"name": name}, "spec": spec}
    definition, _ = Definition.objects.get_or_create(kind=kind, name=name)
    definition.versions.filter(state="active").update(state="retired")
    number = definition.versions.count() + 1
    version = DefinitionVersion.objects.create(
        definition=definition, number=number, document=document, fingerprint=fingerprint.of(document), created_by="test"
    )
    definition.active = version
    definition.save()
    return version


def crm(*, system: dict[str, Any] | None = None, contract: dict[str, Any] | None = None) -> None:
    """System crm, contract crm-deal, flow deal-to-cash."""
    activate(Kind.SYSTEM, "crm", {**SYSTEM, **(system or {})})
    activate(Kind.CONTRACT, "crm-deal", {**DEAL, **(contract or {})})
    activate(Kind.FLOW, "deal-to-cash", FLOW)
