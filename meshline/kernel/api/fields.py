"""How values look in the API: exact money with its currency, times in UTC, JSON as it is stored."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from meshline.kernel import ids, money

PUBLIC_ID = rf"[a-z]{{3}}_[{ids.ALPHABET}]{{16}}"

AMOUNT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["amount", "currency"],
    "properties": {
        "amount": {"type": "string", "examples": ["1054.00"]},
        "currency": {"type": "string", "examples": ["USD"]},
    },
}


class Time(serializers.DateTimeField):
    """ISO 8601 in UTC with `Z`, whatever the reader's own time zone is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"default_timezone": dt.UTC, **kwargs})


@extend_schema_field({**AMOUNT_SCHEMA, "type": ["object", "null"]})
class Amount(serializers.Field):  # type: ignore[type-arg]
    """`{"amount": "1054.00", "currency": "USD"}` from a row's `amount` and `currency`; null where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"source": "*", "read_only": True, **kwargs})

    def to_representation(self, value: Any) -> dict[str, str] | None:
        return amount(value.amount, value.currency)


@extend_schema_field({"type": ["object", "array", "string", "number", "boolean"]})
class Json(serializers.JSONField):
    """JSON as it is stored; exact numbers are strings."""


@extend_schema_field({"type": "object", "additionalProperties": True})
class JsonObject(serializers.Field):  # type: ignore[type-arg]
    """A JSON object as it was sent, with exact numbers. The service says what it must hold."""

    def to_internal_value(self, data: Any) -> Any:
        return data


def amount(value: Any, currency: str) -> dict[str, str] | None:
    """Money as the API writes it, with at least the currency's own places."""
    if value is None:
        return None
    shown = value.normalize()
    least = -money.places(currency)
    return {
        "amount": money.text(value.quantize(Decimal(1).scaleb(least)) if money.exponent(shown) > least else shown),
        "currency": currency,
    }
