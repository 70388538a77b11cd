"""Filters that pages and API share."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django_filters.fields import IsoDateTimeField


class TimeField(IsoDateTimeField):
    """A moment, in UTC: PostgreSQL does not read every offset that ISO 8601 can write (+20:56)."""

    def clean(self, value: Any) -> dt.datetime | None:
        moment: dt.datetime | None = super().clean(value)
        try:
            return moment.astimezone(dt.UTC) if moment else None
        except (OverflowError, ValueError) as error:
            raise ValidationError("is beyond the years that can be kept") from error


class TimeFilter(django_filters.IsoDateTimeFilter):
    field_class = TimeField
