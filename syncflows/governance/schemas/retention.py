"""How long months of transactions stay live, and where they go."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

from syncflows.governance.schemas.base import Strict


def _folder(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ValueError(f"{value!r} is not a folder of this machine: write file:///var/lib/meshline/archive")
    path = PurePosixPath(unquote(parts.path))
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} must be an absolute path, such as file:///var/lib/meshline/archive")
    return str(path)


class Retention(Strict):
    """A month older than `keep_months` is written to compressed files under `archive_to` and leaves the live tables; stubs stay, so that nothing is
    done twice and everything is still found. Without such a definition everything is kept live."""

    of: Literal["transactions"] = Field(default="transactions", description="events, runs, steps, attempts and lineage")
    keep_months: int = Field(ge=1, le=1200, description="months that stay live besides the current one")
    archive_to: Annotated[str, AfterValidator(_folder)] = Field(description="file:///… or an absolute path")
    keep_archives_months: int | None = Field(
        default=None, ge=1, le=1200, description="months after which an archive's files are deleted; absent: never"
    )
