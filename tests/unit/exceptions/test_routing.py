from decimal import Decimal
from typing import Any

import pytest

from exceptions import routing
from exceptions.routing import TableRow
from ownership.enums import OwnerRole
from syncflows.enums import ExceptionClass, Severity
from syncflows.governance.schemas.people import Route, RouteRule
from syncflows.hooks import Failure


def _failure(**values: Any) -> Failure:
    told = {
        "exception_class": ExceptionClass.POLICY,
        "reason": "discount_above_cap",
        "message": "m",
        "remedy": "r",
        "flow": "orders",
        "run_id": 1,
    }
    return Failure(**{**told, **values})


def _rows(*rules: RouteRule, route: str = "exceptions") -> list[TableRow]:
    return routing.table([(route, Route(rules=list(rules)))])


def _rule(name: str, when: str, **values: Any) -> RouteRule:
    return RouteRule(name=name, when=when, queue=values.pop("queue", "finance"), **values)


def test_decide_takes_the_first_rule_that_is_true() -> None:
    rows = _rows(
        _rule("identity", "failure.class == 'identity'"),
        _rule("policy", "failure.class == 'policy'", queue="desk"),
        _rule("rest", "true"),
    )
    found = routing.decide(rows, _failure())
    assert (found.queue, found.owner, found.because) == ("desk", "pool", "route exceptions, rule policy")


def test_decide_compares_amounts_exactly() -> None:
    rows = _rows(_rule("big", "gt(failure.amount, '100000')", queue="cfo"), _rule("rest", "true"))
    assert routing.decide(rows, _failure(amount=Decimal("100000.01"), currency="EUR")).queue == "cfo"
    assert routing.decide(rows, _failure(amount=Decimal("100000.00"), currency="EUR")).queue == "finance"
    assert routing.decide(rows, _failure(amount=None)).queue == "finance"


def test_decide_takes_severity_and_limit_from_the_rule() -> None:
    found = routing.decide(_rows(_rule("hot", "true", severity="hard", resolve_within="4h")), _failure())
    assert (found.severity, found.resolve_within_minutes) == (Severity.HARD, 240)


def test_decide_falls_to_the_next_rule_where_one_breaks_and_says_so() -> None:
    rows = _rows(
        _rule("broken", "failure.nothing == 'x'"),
        _rule("word", "gt(failure.customer, '5')"),
        _rule("text", "failure.reason"),
        _rule("rest", "true", queue="desk"),
    )
    found = routing.decide(rows, _failure(customer="Acme"))
    assert found.queue == "desk"
    assert len(found.problems) == 3
    assert "route exceptions, rule broken could not be asked" in found.problems[0]


@pytest.mark.parametrize("kind", list(ExceptionClass))
def test_decide_has_a_default_owner_for_every_class(kind: ExceptionClass) -> None:
    found = routing.decide([], _failure(exception_class=kind))
    assert found.owner in OwnerRole.values
    assert found.queue == ""


def test_decide_sends_bad_data_to_its_source_and_policies_to_the_sink() -> None:
    assert routing.decide([], _failure(exception_class=ExceptionClass.DATA_QUALITY)).owner == OwnerRole.SOURCE
    assert routing.decide([], _failure()).owner == OwnerRole.SINK


def test_table_orders_routes_by_name_and_rules_as_written() -> None:
    rows = routing.table(
        [("b", Route(rules=[_rule("z", "true"), _rule("a", "true")])), ("a", Route(rules=[_rule("only", "true")]))]
    )
    assert [row.label for row in rows] == ["route a, rule only", "route b, rule z", "route b, rule a"]
