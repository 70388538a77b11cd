"""CEL with exact money: verdicts rest on no binary float, errors quote the expression, unknown names are found when it is compiled."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.kernel import expressions
from meshline.kernel.errors import MeshlineError
from meshline.kernel.expressions import BadExpression, Escaping, EvaluationFailed, Scope, compiled

AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=6)


def value(source: str, **variables: object) -> object:
    return compiled(source).evaluate(variables)


@given(AMOUNTS, AMOUNTS)
def test_comparisons_and_sums_are_exact(left: Decimal, right: Decimal) -> None:
    scope = Scope({"a": left, "b": right})
    assert compiled("lt(a, b)").evaluate(scope) is (left < right)
    assert Decimal(str(compiled("add(a, b)").evaluate(scope))) == left + right
    assert compiled("eq(sub(add(a, b), b), a)").evaluate(scope) is True


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("lt('989.99', mul('1100', '0.9'))", True),
        ("lt('990', mul('1100', '0.9'))", False),
        ("pct_below('986', '1096')", "10.0365"),
        ("total([{'q': 2, 'p': '0.1'}, {'q': 1, 'p': '0.2'}].map(x, mul(x.q, x.p)))", "0.4"),
        ("date('3/1/2017')", "2017-03-01"),
        ("date('2017-03-01')", "2017-03-01"),
        ("default({'a': ''}, 'a', 'none')", "none"),
        ("spoken('37100', 'USD')", "USD 37,100.00"),
        ("percent('12.00')", "12 %"),
        ("percent('-10.909')", "-10.91 %"),
        ("money('1000.5', 'JPY')", "1001"),
    ],
)
def test_functions(source: str, result: object) -> None:
    assert value(source) == result


@pytest.mark.parametrize(
    "source",
    [
        "gt(1.5, '1')",
        "add('1', 0.1)",
        "mul(payload.amount, 2.0)",
        "div('1', '0')",
        "pct_below('1', '0')",
        "date('tomorrow')",
        "payload.nothing",
        "dec('abc')",
    ],
)
def test_evaluation_fails_in_a_sentence_that_quotes_it(source: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        value(source, payload={"amount": "5"})
    assert source in caught.value.message


@pytest.mark.parametrize("source", ["", "1 +", "nosuch(payload)", "payload..a", "import os"])
def test_compiled_refuses_what_is_no_expression(source: str) -> None:
    with pytest.raises(BadExpression):
        compiled(source)


def test_numbers_beyond_64_bits_and_decimals_stay_exact() -> None:
    assert value("a", a=10**30) == str(10**30)
    assert value("gt(a, '999999999999999.9')", a=Decimal("1000000000000000.0")) is True


def test_functions_of_the_caller_may_raise_through() -> None:
    class Held(Escaping):
        pass

    def raise_held(name: str) -> None:
        raise Held(f"no {name}")

    with pytest.raises(Held):
        compiled("lookup('x')", extra=frozenset({"lookup"})).evaluate(Scope({}, functions={"lookup": raise_held}))


def test_an_earlier_error_does_not_stain_the_next_evaluation() -> None:
    scope = Scope({"a": "5"})
    with pytest.raises(MeshlineError):
        compiled("gt(a, 0.1)").evaluate(scope)
    with pytest.raises(EvaluationFailed) as caught:
        compiled("b.c").evaluate(scope)
    assert "exact" not in caught.value.message


def test_the_largest_amounts_are_not_rounded() -> None:
    big = "999999999999999999999999.123456789012"
    assert value("add(a, '0.000000000001')", a=big) == "999999999999999999999999.123456789013"
    assert value("mul(a, '0.9')", a="123456789012345678901.123456789012") == "111111110111111111011.0111111101108"


def test_variables_are_known() -> None:
    assert compiled("order.total + payload.x").variables == {"order", "payload"}
    assert expressions.plain({"d": Decimal("1.50")}) == {"d": "1.50"}
