"""JSON in, with exact numbers and a size limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.parsers import JSONParser

from meshline.kernel import jsontext
from meshline.kernel.errors import MeshlineError


class TooLarge(MeshlineError):
    """The body is bigger than we take."""

    default_code = "body_too_large"
    http_status = 413


class ExactJSONParser(JSONParser):
    """Decimals instead of floats; refuses NaN, duplicate keys, what PostgreSQL cannot store, and bodies over the limit."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit_bytes = settings.MESHLINE_INGEST_LIMIT_BYTES
        body = stream.read(limit_bytes + 1)
        if len(body) > limit_bytes:
            raise TooLarge(f"The body is larger than {limit_bytes} bytes. Send less at once.")
        return jsontext.storable(jsontext.parse(body)) if body.strip() else {}
