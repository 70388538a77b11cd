"""Kinds and states of definitions. Values are permanent; kinds are as the files write them."""

from django.db.models import TextChoices


class Kind(TextChoices):
    SYSTEM = "System", "System"
    CONTRACT = "Contract", "Contract"
    MAPPING = "Mapping", "Mapping"
    POLICY = "Policy", "Policy"
    ROUTE = "Route", "Route"
    FLOW = "Flow", "Flow"
    CROSSWALK = "Crosswalk", "Crosswalk"
    TEAM = "Team", "Team"
    PERSON = "Person", "Person"
    OWNERS = "Owners", "Owners"
    RETENTION = "Retention", "Retention"


class VersionState(TextChoices):
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"
