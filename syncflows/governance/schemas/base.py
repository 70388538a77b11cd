"""Types that every kind of definition uses."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from meshline.kernel import expressions, money
from meshline.kernel.errors import MeshlineError

# Functions that the engine adds to expressions of mappings and steps.
ENGINE_FUNCTIONS = frozenset({"lookup", "delivered"})
DURATION = re.compile(r"^(\d+)(m|h|d)$")
MACRO_VARIABLE = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
MINUTES = {"m": 1, "h": 60, "d": 1440}


class Strict(BaseModel):
    """A misspelt field is an error, never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _cel(source: str) -> str:
    try:
        expressions.compiled(source, extra=ENGINE_FUNCTIONS)
    except MeshlineError as error:
        raise ValueError(error.message) from error
    return source


def _template(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _template(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_template(item) for item in value]
    if isinstance(value, str):
        return _cel(value)
    raise ValueError(
        f'{value!r} is not an expression: write it in quotes as CEL, for example "\'USD\'" for a text or "5" for a number'
    )


def _amount(value: Any) -> str:
    try:
        return money.text(money.decimal(value))
    except MeshlineError as error:
        raise ValueError(error.message) from error


def _duration(value: str) -> str:
    if not DURATION.match(value):
        raise ValueError(f"{value!r} is not a duration such as 30m, 4h or 2d")
    return value


def read_by(source: str) -> frozenset[str]:
    """The variables that a valid expression reads, without those its own macros bind (`l` in `lines.map(l, l.amount)`)."""
    found = expressions.compiled(source, extra=ENGINE_FUNCTIONS).variables
    return found - set(MACRO_VARIABLE.findall(source)) - expressions.LANGUAGE


def minutes(duration: str) -> int:
    """Minutes in `30m`, `4h`, `2d`."""
    found = DURATION.match(duration)
    assert found, duration
    return int(found[1]) * MINUTES[found[2]]


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
# What an expression may call a thing by: letters, digits, underscores. Objects, let-names.
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Cel = Annotated[str, AfterValidator(_cel), Field(description="a CEL expression")]
Template = Annotated[Any, AfterValidator(_template), Field(description="a tree whose leaves are CEL expressions")]
Amount = Annotated[str, AfterValidator(_amount), Field(description="an exact amount in quotes")]
Duration = Annotated[str, AfterValidator(_duration), Field(description="30m, 4h or 2d")]
PositiveSeconds = Annotated[Decimal, Field(gt=0, le=3600)]
