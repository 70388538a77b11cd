"""Every operation of the API, found in its addresses, so that no test has to be told of a new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver

from meshline import api_urls
from meshline.kernel.api.operations import Operation
from ownership.authentication import scope_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PLACES = {"<slug:public_id>": "tkt_0000000000000000", "<slug:name>": "orders", "<slug:code>": "invalid"}


@dataclass(frozen=True)
class Found:
    method: str
    route: str
    view: Any

    @property
    def path(self) -> str:
        path = self.route
        for place, value in PLACES.items():
            path = path.replace(place, value)
        return path

    @property
    def scope(self) -> str:
        return scope_of(self.view(), self.method)

    @property
    def handler(self) -> Any:
        return getattr(self.view, self.method.lower())


def all_operations() -> list[Found]:
    return list(_walk(api_urls.urlpatterns, ""))


def _walk(patterns: list[Any], prefix: str) -> Iterator[Found]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "view_class"):
            view = pattern.callback.view_class
            if issubclass(view, Operation) or route.startswith("events/"):
                yield from (Found(method, route, view) for method in METHODS if hasattr(view, method.lower()))
