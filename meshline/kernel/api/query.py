"""What stands behind the question mark: names that nobody reads are refused, never ignored."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from meshline.kernel.errors import Invalid


class BadQuery(Invalid):
    """A filter, limit or cursor that cannot be used."""

    default_code = "bad_query"
    http_status = 400


class StrictFilters(DjangoFilterBackend):
    """Filters as the FilterSet says. Raises BadQuery for a value that a filter cannot read."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        return _result(filterset)


def filtered(
    filterset_class: type[FilterSet], values: dict[str, str], queryset: QuerySet[Any], request: Request
) -> QuerySet[Any]:
    """The rows that these filters find, given in a body rather than in the address. Raises BadQuery for unknown names and unreadable values."""
    unknown = sorted(set(values) - names_of(filterset_class))
    if unknown:
        known = ", ".join(sorted(names_of(filterset_class)))
        raise BadQuery(f"Unknown filter {', '.join(unknown)[:200]}. There are: {known}.", code="unknown_parameter")
    return _result(filterset_class(values, queryset=queryset, request=request))


def check_names(request: Request, *, known: Collection[str]) -> None:
    """Raises BadQuery where the address carries a name that this operation does not read."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        reads = ", ".join(sorted(known)) or "none"
        errors = [{"field": name[:100], "message": "is not a name that this address reads"} for name in unknown]
        raise BadQuery(
            f"Unknown query parameter {', '.join(unknown)[:200]}. This address reads: {reads}.",
            code="unknown_parameter",
            context={"errors": errors},
        )


def names_of(filterset_class: type[FilterSet] | None) -> frozenset[str]:
    """The query parameters that a FilterSet reads; a range is read as two."""
    found: set[str] = set()
    for name, item in (filterset_class.base_filters if filterset_class else {}).items():
        suffixes = getattr(item.field.widget, "suffixes", None)
        found |= {f"{name}_{suffix}" for suffix in suffixes} if suffixes else {name}
    return frozenset(found)


def _result(filterset: FilterSet) -> QuerySet[Any]:
    if not filterset.is_valid():
        raise BadQuery("A filter has a value that it cannot read.", context={"errors": _errors(filterset)})
    found: QuerySet[Any] = filterset.qs
    return found


def _errors(filterset: FilterSet) -> list[dict[str, str]]:
    return [
        {"field": name, "message": str(message)}
        for name, messages in filterset.form.errors.items()
        for message in messages
    ]
