"""Which queue and which owner a failure goes to, by the routing table. Pure: the table is given, people are found by `assignment`.

A rule that cannot be worked out never loses a failure: the next rule is asked, and the sentence says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from meshline.kernel import expressions, money
from meshline.kernel.errors import MeshlineError
from ownership.enums import OwnerRole
from syncflows.enums import ExceptionClass
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS, minutes
from syncflows.governance.schemas.people import Route, RouteRule
from syncflows.hooks import Failure

POOL = "pool"
PERSON = "person:"
DEFAULT_OWNER: dict[str, OwnerRole] = {
    ExceptionClass.DATA_QUALITY: OwnerRole.SOURCE,
    ExceptionClass.IDENTITY: OwnerRole.SOURCE,
    ExceptionClass.POLICY: OwnerRole.SINK,
    ExceptionClass.ACCOUNTING: OwnerRole.SINK,
    ExceptionClass.DRIFT: OwnerRole.SINK,
    ExceptionClass.PARTIAL: OwnerRole.SINK,
    ExceptionClass.DUPLICATE: OwnerRole.SINK,
    ExceptionClass.TRANSIENT: OwnerRole.PLATFORM,
    ExceptionClass.OUTAGE: OwnerRole.PLATFORM,
    ExceptionClass.INTERNAL: OwnerRole.PLATFORM,
    ExceptionClass.SILENCE: OwnerRole.SYNC,
}


@dataclass(frozen=True)
class TableRow:
    """One rule and the route it stands in."""

    route: str
    rule: RouteRule

    @property
    def label(self) -> str:
        return f"route {self.route}, rule {self.rule.name}"


@dataclass(frozen=True)
class Decision:
    """`queue` a team's name (empty: the owner's team); `owner` an owner kind; `because` what decided; `problems` rules that could not be asked."""

    queue: str
    owner: str
    because: str
    severity: str
    resolve_within_minutes: int | None = None
    problems: tuple[str, ...] = ()


def table(routes: Iterable[tuple[str, Route]]) -> list[TableRow]:
    """All rules in order: routes by name, rules as written."""
    return [TableRow(name, rule) for name, route in sorted(routes, key=lambda item: item[0]) for rule in route.rules]


def decide(rows: Sequence[TableRow], failure: Failure) -> Decision:
    """The first rule that is true decides; without one, the class does."""
    scope = expressions.Scope({"failure": facts(failure)})
    problems: list[str] = []
    for row in rows:
        answer = _ask(row, scope)
        if answer is True:
            return _by_rule(row, failure, tuple(problems))
        if answer is not False:
            problems.append(f"{row.label} could not be asked ({answer})")
    return _by_class(failure, tuple(problems))


def facts(failure: Failure) -> dict[str, Any]:
    """What rules read as `failure`. `amount` is a numeral; '0' where there is none."""
    return {
        "class": str(failure.exception_class),
        "reason": failure.reason,
        "flow": failure.flow,
        "step": failure.step,
        "system": failure.system,
        "severity": str(failure.severity),
        "amount": "0" if failure.amount is None else money.text(failure.amount),
        "currency": failure.currency,
        "customer": failure.customer,
        "key": failure.canonical_key,
    }


def _ask(row: TableRow, scope: expressions.Scope) -> bool | str:
    """True or False, or a sentence why neither could be found."""
    try:
        answer = expressions.compiled(row.rule.when, extra=ENGINE_FUNCTIONS).evaluate(scope)
    except MeshlineError as error:
        return error.message
    return answer if isinstance(answer, bool) else f"`{row.rule.when}` gives {answer!r}, not true or false"


def _by_rule(row: TableRow, failure: Failure, problems: tuple[str, ...]) -> Decision:
    within = minutes(row.rule.resolve_within) if row.rule.resolve_within else None
    return Decision(row.rule.queue, row.rule.owner, row.label, row.rule.severity or failure.severity, within, problems)


def _by_class(failure: Failure, problems: tuple[str, ...]) -> Decision:
    role = DEFAULT_OWNER[failure.exception_class]
    kind = str(ExceptionClass(failure.exception_class).label).lower()
    return Decision(
        "", role, f"no route matched, {kind} goes to the {role.label.lower()}", failure.severity, None, problems
    )
