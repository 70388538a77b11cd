"""CEL expressions with exact money.

Decimals travel through CEL as numerals in text ("1054.00"); our functions compute on them exactly: `gt(order.discount_pct, '10')`.
A binary float given to one of them is refused, so that no verdict about money rests on one. Language: cel-spec, by common-expression-language.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import lru_cache, reduce
from typing import Any

import cel

from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.money import EXACT, Money, decimal, places, shortest, text

# Operators and macros of the language itself, as Program.references() names them.
LANGUAGE = frozenset(
    [
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "has",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "string",
        "int",
        "uint",
        "double",
        "bool",
        "bytes",
        "timestamp",
        "duration",
        "type",
        "dyn",
        "min",
        "max",
        "optional",
    ]
)
logging.getLogger("cel").setLevel(logging.CRITICAL)  # it logs each failed call; we raise instead
DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y")


class BadExpression(Invalid):
    """The text of an expression cannot be compiled, or names something that does not exist."""

    default_code = "bad_expression"


class EvaluationFailed(MeshlineError):
    """The expression is sound, this input is not: a missing field, a word where an amount belongs."""

    default_code = "evaluation_failed"


class Scope:
    """What expressions may read: variables and functions, prepared once and evaluated against many times."""

    def __init__(
        self, variables: Mapping[str, Any], *, functions: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        calls = _guarded()
        if functions:
            calls = {**calls, **{name: _guard(call) for name, call in functions.items()}}
        self.context = cel.Context(variables=plain(variables), functions=calls)

    def put(self, name: str, value: Any) -> None:
        """Add or replace one variable."""
        self.context.add_variable(name, plain(value))


class Escaping(MeshlineError):
    """Raised by a function of the caller's own, and passed on to the caller as it is."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `variables` are the top-level names it reads; `constant` the value of a text that stands for itself."""

    source: str
    program: Any
    variables: frozenset[str]
    constant: str | None = None

    def evaluate(self, scope: Scope | Mapping[str, Any]) -> Any:
        """The value, with Decimals as numerals. Raises EvaluationFailed, quoting the expression."""
        if self.constant is not None:
            return self.constant
        scope = scope if isinstance(scope, Scope) else Scope(scope)
        _raised.errors = []
        try:
            return self.program.execute(scope.context)
        except Exception as error:
            held: list[MeshlineError] = _raised.errors
            if held and isinstance(held[0], Escaping):
                raise held[0] from error
            cause = held[0].message if held else _sentence(error)
            raise EvaluationFailed(
                f"`{self.source}` could not be worked out: {cause}", context={"expression": self.source}
            ) from error


@lru_cache(maxsize=4096)
def compiled(source: str, *, extra: frozenset[str] = frozenset()) -> Expression:
    """Compile once. Raises BadExpression for syntax errors and for functions nobody defined."""
    if not isinstance(source, str) or not source.strip():
        raise BadExpression(
            "An expression is empty. Write a CEL expression such as payload.amount, or 'a text' in quotes."
        )
    try:
        program = cel.compile(source)
    except Exception as error:
        raise BadExpression(f"`{source}` is not a CEL expression: {_sentence(error)}") from error
    named = {name for name in program.functions() if name.isidentifier()}
    unknown = named - LANGUAGE - set(FUNCTIONS) - extra
    if unknown:
        raise BadExpression(
            f"`{source}` calls {', '.join(sorted(unknown))}, which does not exist. Functions: {', '.join(sorted({*FUNCTIONS, *extra}))}."
        )
    variables = frozenset(program.variables())
    return Expression(source, program, variables, None if variables or program.functions() else _text_of(program))


def plain(value: Any) -> Any:
    """A deep copy that CEL can read: Decimals and dates as text, sizes beyond 64 bits as text."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        return {name if type(name) is str else str(name): plain(item) for name, item in value.items()}
    if kind is list:
        return [plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


class _Raised(threading.local):
    """What our functions raised during the evaluation that this thread is in: the language passes on only its own errors."""

    def __init__(self) -> None:
        self.errors: list[MeshlineError] = []


_raised = _Raised()


def _guard(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any) -> Any:
        try:
            return plain(call(*args))
        except MeshlineError as error:
            _raised.errors.append(error)
            raise

    return guarded


@lru_cache(maxsize=1)
def _guarded() -> dict[str, Callable[..., Any]]:
    return {name: _guard(call) for name, call in FUNCTIONS.items()}


def _text_of(program: Any) -> str | None:
    """The value of an expression that reads nothing and calls nothing, where it is a text."""
    try:
        found = program.execute({})
    except Exception:  # noqa: BLE001 - told when it is evaluated, with its input
        return None
    return found if isinstance(found, str) else None


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no field {error.args[0]!r}"
    return str(error).split("\n", maxsplit=1)[0][:300]


def _percent_below(asked: Any, list_price: Any) -> Decimal:
    base = decimal(list_price)
    if base == 0:
        raise EvaluationFailed("the list price is 0, so no percentage of it can be taken")
    below = EXACT.multiply(EXACT.subtract(base, decimal(asked)), Decimal(100))
    return EXACT.divide(below, base).quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN, context=EXACT)


def _divide(left: Any, right: Any, digits: int = 6) -> Decimal:
    if decimal(right) == 0:
        raise EvaluationFailed("division by zero")
    return EXACT.divide(decimal(left), decimal(right)).quantize(
        Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN, context=EXACT
    )


def _date(value: Any, formats: list[str] | None = None) -> str:
    raw = str(value).strip()
    for pattern in formats or DATE_FORMATS:
        try:
            return dt.datetime.strptime(raw, pattern).date().isoformat()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    try:
        return dt.datetime.fromisoformat(raw).date().isoformat()
    except ValueError:
        raise EvaluationFailed(
            f"{raw[:40]!r} is not a date such as 2026-11-30 (formats tried: {', '.join(formats or DATE_FORMATS)})"
        ) from None


def _rounded(value: Any, digits: int = 2) -> Decimal:
    return decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=EXACT)


def _odata(value: Any) -> str:
    """A text literal of OData (OASIS OData 4.01, ABNF: a quote is doubled)."""
    return "'" + str(value).replace("'", "''") + "'"


def _soql(value: Any) -> str:
    """A text literal of SOQL ("Quoted String Escape Sequences")."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r") + "'"


def _spoken(value: Any, currency: str) -> str:
    return str(Money(decimal(value), currency))


def _percent(value: Any) -> str:
    return f"{shortest(_rounded(value, 2))} %"


def _total(values: list[Any]) -> Decimal:
    return reduce(EXACT.add, (decimal(value) for value in values), Decimal(0))


def _default(mapping: Any, key: str, fallback: Any) -> Any:
    found = mapping.get(key) if isinstance(mapping, dict) else None
    return fallback if found is None or found == "" else found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dec": lambda value: decimal(value),
    "add": lambda left, right: EXACT.add(decimal(left), decimal(right)),
    "sub": lambda left, right: EXACT.subtract(decimal(left), decimal(right)),
    "mul": lambda left, right: EXACT.multiply(decimal(left), decimal(right)),
    "div": _divide,
    "neg": lambda value: EXACT.minus(decimal(value)),
    "absolute": lambda value: EXACT.abs(decimal(value)),
    "gt": lambda left, right: decimal(left) > decimal(right),
    "ge": lambda left, right: decimal(left) >= decimal(right),
    "lt": lambda left, right: decimal(left) < decimal(right),
    "le": lambda left, right: decimal(left) <= decimal(right),
    "eq": lambda left, right: decimal(left) == decimal(right),
    "rounded": _rounded,
    "total": _total,
    "pct_below": _percent_below,
    "minor_places": lambda currency: places(currency),
    "spoken": _spoken,
    "percent": _percent,
    "money": lambda value, currency: _rounded(value, places(currency)),
    "date": _date,
    "trim": lambda value: str(value).strip(),
    "lower": lambda value: str(value).casefold(),
    "upper": lambda value: str(value).upper(),
    "default": _default,
    "odata": _odata,
    "soql": _soql,
    "join": lambda values, separator: separator.join(str(value) for value in values),
}
