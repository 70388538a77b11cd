"""Teams, people, owners, routes and crosswalks."""

from __future__ import annotations

import zoneinfo
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from ownership.enums import Role
from syncflows.enums import Severity
from syncflows.governance.schemas.base import Cel, Duration, Identifier, Name, Strict


class Person(Strict):
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    email: str = ""
    role: Role
    time_zone: str = "UTC"

    @field_validator("role")
    @classmethod
    def _a_person(cls, value: Role) -> Role:
        if value == Role.SERVICE:
            raise ValueError("service is not a person's role; programs get a token: manage.py token create")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin")
        return value


class Team(Strict):
    members: list[Name] = Field(default=[], description="usernames")
    on_call: Name | None = None
    mailbox: str = ""


class OwnerCell(Strict):
    person: Name | None = None
    team: Name | None = None
    fallback: Name | None = Field(default=None, description="the person who answers while the owner is away")

    @model_validator(mode="after")
    def _names_somebody(self) -> OwnerCell:
        if not self.person and not self.team:
            raise ValueError("names nobody: give `person`, `team` or both")
        return self


class Owners(Strict):
    """The ownership of one flow. The sync owner is accountable."""

    flow: Name
    sync_owner: OwnerCell
    source_owner: OwnerCell
    sink_owner: OwnerCell
    platform_owner: OwnerCell

    @field_validator("sync_owner")
    @classmethod
    def _one_named_person(cls, value: OwnerCell) -> OwnerCell:
        if not value.person:
            raise ValueError("is accountable, so it is one named person: give `person`")
        return value


class RouteRule(Strict):
    """The first rule that is true decides. Reads failure: class, reason, flow, step, system, severity, amount, currency, customer, key.
    `owner`: sync_owner, source_owner, sink_owner, platform_owner, or `person:<username>`, or `pool` (the queue's team)."""

    name: Name
    when: Cel
    queue: Name
    owner: Annotated[
        str, StringConstraints(pattern=r"^(sync_owner|source_owner|sink_owner|platform_owner|pool|person:[a-z0-9-]+)$")
    ] = "pool"
    severity: Severity | None = None
    resolve_within: Duration | None = None


class Route(Strict):
    rules: list[RouteRule] = Field(min_length=1)


class Crosswalk(Strict):
    """Declared aliases: how `system` writes what we call otherwise. Left as the system writes it, right our canonical key."""

    entity: Identifier
    system: Name
    aliases: dict[str, str]
