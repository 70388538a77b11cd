"""What the HTTP doors share: answers in JSON whatever was asked, and a body as text."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation

from syncflows.engine.admission import clean


class AlwaysJSON(BaseContentNegotiation):
    """Answers JSON whatever the sender says it accepts: a webhook is not turned away for its Accept header."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def body_text(body: bytes) -> str:
    """The body for people: bytes that are not UTF-8 are written as escapes."""
    return clean(body.decode("utf-8", "backslashreplace"))
