"""How much of a source is taken in, and which source waits first when work piles up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from syncflows.governance.schemas.base import Strict


class Intake(Strict):
    """Quotas of a source, over all web processes together; what is not given is not limited. Every event that is sent counts, known ones too.

    Beyond a quota the door answers 429 with Retry-After, and keeps nothing of the request: a batch is taken whole or not at all.
    """

    per_second: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False, strict=True)
    per_minute: float | None = Field(default=None, gt=0, le=6_000_000, allow_inf_nan=False, strict=True)
    burst: int | None = Field(
        default=None, ge=1, le=1_000_000, strict=True,
        description="events at once after a quiet time; default: one second's worth, with per_minute ten seconds', at least 1",
    )  # fmt: skip
    per_day: int | None = Field(default=None, ge=1, le=1_000_000_000, strict=True, description="by UTC days")
    backlog: int | None = Field(
        default=None, ge=1, le=10_000_000, strict=True,
        description="runs of this source that may be due and unfinished; above it waits until four fifths of it are left",
    )  # fmt: skip
    importance: Literal["low", "normal", "high"] = Field(
        default="normal", description="who waits first when all work piles up: low at half of MESHLINE_BACKLOG_HIGH, normal at four fifths, high at all of it"
    )  # fmt: skip
