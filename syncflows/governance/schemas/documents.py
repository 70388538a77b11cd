"""The envelope around every definition."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from syncflows.governance.enums import Kind
from syncflows.governance.schemas.base import Name, Strict
from syncflows.governance.schemas.flows import Contract, Flow, Mapping, Policy
from syncflows.governance.schemas.people import Crosswalk, Owners, Person, Route, Team
from syncflows.governance.schemas.retention import Retention
from syncflows.governance.schemas.systems import System

SPECS: dict[Kind, type[Strict]] = {
    Kind.SYSTEM: System,
    Kind.CONTRACT: Contract,
    Kind.MAPPING: Mapping,
    Kind.POLICY: Policy,
    Kind.ROUTE: Route,
    Kind.FLOW: Flow,
    Kind.CROSSWALK: Crosswalk,
    Kind.TEAM: Team,
    Kind.PERSON: Person,
    Kind.OWNERS: Owners,
    Kind.RETENTION: Retention,
}


class Metadata(Strict):
    name: Name
    title: Annotated[str, StringConstraints(max_length=120)] = ""
    description: str = ""
    labels: dict[str, str] = {}


class Document(Strict):
    """apiVersion, kind, metadata, spec; `spec` is validated by the kind's model."""

    apiVersion: Literal["meshline/v1"] = Field(description="always meshline/v1")  # noqa: N815 - the file format's own name
    kind: Kind
    metadata: Metadata
    spec: dict[str, Any]
