"""What the lists of replays and of their records can be narrowed by, over the API."""

from __future__ import annotations

import django_filters as filters

from syncflows.engine.models import ReplayItem, ReplayJob
from syncflows.engine.replays.enums import ReplayOutcome, ReplayStatus, ReplayVerdict


class ReplayJobFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=ReplayStatus.choices)

    class Meta:
        model = ReplayJob
        fields: list[str] = []


class ReplayItemFilter(filters.FilterSet):
    verdict = filters.ChoiceFilter(choices=ReplayVerdict.choices)
    outcome = filters.ChoiceFilter(choices=ReplayOutcome.choices)

    class Meta:
        model = ReplayItem
        fields: list[str] = []
