"""What lists of definitions, owners and systems can be asked."""

from __future__ import annotations

import django_filters as filters

from ownership.enums import OwnerRole, SystemState
from ownership.models import FlowOwner, System
from syncflows.governance.models import Definition


class DefinitionFilter(filters.FilterSet):
    name = filters.CharFilter(field_name="name")

    class Meta:
        model = Definition
        fields: list[str] = []


class OwnerFilter(filters.FilterSet):
    flow = filters.CharFilter(field_name="flow")
    role = filters.ChoiceFilter(choices=OwnerRole.choices)
    person = filters.CharFilter(field_name="person__username", label="Person (username)")
    team = filters.CharFilter(field_name="team__name", label="Team (name)")

    class Meta:
        model = FlowOwner
        fields: list[str] = []


class SystemFilter(filters.FilterSet):
    name = filters.CharFilter(field_name="name")
    state = filters.ChoiceFilter(choices=SystemState.choices)

    class Meta:
        model = System
        fields: list[str] = []
