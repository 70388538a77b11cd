"""One class for each operation: what it takes (Input), what it answers (Output), which scope it asks. Services decide and write."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import generics, mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.kernel import actors
from meshline.kernel.actors import Actor
from meshline.kernel.api import paging, query
from meshline.kernel.errors import Missing


class Operation(generics.GenericAPIView):  # type: ignore[type-arg]
    """Refuses query parameters that it does not read (`query_names`)."""

    pagination_class: Any = None
    filter_backends: Any = ()
    query_names: ClassVar[frozenset[str]] = frozenset()
    request: Request

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        query.check_names(request, known=self.names_read(request))

    def names_read(self, request: Request) -> frozenset[str]:
        return self.query_names

    @property
    def actor(self) -> Actor:
        return actors.of(self.request.user)

    def read(self, serializer_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body as its Input says. Raises ValidationError; a body that is no object and a field that nobody reads are errors too."""
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        unknown = sorted(set(self.request.data) - set(serializer.fields))
        if unknown:
            known = ", ".join(serializer.fields) or "none"
            raise serializers.ValidationError(
                dict.fromkeys(unknown, f"is not a field of this operation. It reads: {known}.")
            )
        return dict(serializer.validated_data)

    def find(self, rows: QuerySet[Any], public_id: str) -> Any:
        """The row of a public id. Raises Missing, naming the kind and the id."""
        found = rows.filter(public_id=public_id).first()
        if found is None:
            raise Missing(f"There is no {rows.model._meta.verbose_name} {public_id}.")
        return found


class ListOperation(mixins.ListModelMixin, Operation):
    """A page of rows, newest first, filtered by `filterset_class`."""

    pagination_class = paging.NewestFirst
    filter_backends = (query.StrictFilters,)
    filterset_class: Any = None

    def names_read(self, request: Request) -> frozenset[str]:
        asked = request.method in ("GET", "HEAD")
        return query.names_of(self.filterset_class) | paging.NAMES if asked else frozenset()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)
