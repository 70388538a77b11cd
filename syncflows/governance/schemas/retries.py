"""When a system is asked again: the retry policy as a value, with units in its names. What it means is `engine.retry`; here is only what may be said."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from syncflows.governance.schemas.base import Strict

CLOCK = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)$")
DAY_MINUTES = 24 * 60
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WORK_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


def _clock(value: str) -> str:
    if not CLOCK.match(value) or minute_of_day(value) > DAY_MINUTES:
        raise ValueError(f"{value!r} is not a time of day such as 08:30 (24:00 is the end of the day)")
    return value


def minute_of_day(clock: str) -> int:
    """510 for `08:30`."""
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


Clock = Annotated[str, AfterValidator(_clock), Field(description="a time of day in quotes, such as '08:30'")]


class Hours(Strict):
    """When the system is there, in its own zone. A window that ends before it begins runs into the next day and belongs to the day it begins on."""

    zone: str = Field(description="IANA time zone, such as Europe/Berlin")
    days: tuple[Day, ...] = Field(default=WORK_DAYS, min_length=1)
    from_: Clock = Field(alias="from")
    to: Clock

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _is_open_at_all(self) -> Hours:
        if minute_of_day(self.from_) >= DAY_MINUTES:
            raise ValueError("`from` is before 24:00; write 00:00 for midnight")
        if self.from_ == self.to:
            raise ValueError("`from` and `to` are the same time; leave `hours` out for a system that is always there")
        return self

    @property
    def tz(self) -> dt.tzinfo:
        return zoneinfo.ZoneInfo(self.zone)


Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]
Formula = Literal["exponential", "linear", "constant", "fibonacci"]
Jitter = Literal["full", "equal", "none"]


class Retry(Strict):
    """When a call that failed for a passing reason is made again. Seconds.

    The wait after try n grows by `formula`: exponential base * factor ** (n - 1), linear base * n, constant base, fibonacci base * 1, 1, 2, 3, 5…; never
    more than `cap_s`. `jitter` full draws between 0 and that, equal between its half and it, none waits exactly so. A Retry-After is never undercut.
    The budget ends with the first of: `max_attempts`, `give_up_after_s` since the first failure, and the flow's `deliver_within`. Then there is a ticket."""

    formula: Formula = "exponential"
    base_s: Seconds = 2
    factor: float = Field(default=2, ge=1, le=100, description="for formula exponential")
    cap_s: Seconds = 300
    jitter: Jitter = "full"
    max_attempts: int = Field(default=10, ge=1, le=1000)
    give_up_after_s: Seconds | None = Field(default=None, description="since the first failure; default: no such limit")
    retry_after_expected_s: Seconds = Field(
        default=3600, description="a longer Retry-After is honoured too, and told as unusual where the run is shown"
    )
    hours: Hours | None = Field(
        default=None, description="tries after the first are made only then; default: at any time"
    )


class RetryChange(Strict):
    """What an operation or a step says differently from its System. Budgets can only be made smaller."""

    formula: Formula | None = None
    base_s: Seconds | None = None
    factor: float | None = Field(default=None, ge=1, le=100)
    cap_s: Seconds | None = None
    jitter: Jitter | None = None
    max_attempts: int | None = Field(default=None, ge=1, le=1000)
    give_up_after_s: Seconds | None = None
    retry_after_expected_s: Seconds | None = None
    hours: Hours | None = None


BUDGETS = ("max_attempts", "give_up_after_s")


def narrowed(policy: Retry, *changes: RetryChange | None) -> Retry:
    """The policy with what is said more closely, from the widest to the nearest; the smallest budget counts."""
    values = {name: getattr(policy, name) for name in Retry.model_fields}
    for change in changes:
        for name in Retry.model_fields if change else ():
            said = getattr(change, name)
            if said is not None:
                values[name] = min(said, values[name] or said) if name in BUDGETS else said
    return Retry.model_construct(**values) if any(changes) else policy
