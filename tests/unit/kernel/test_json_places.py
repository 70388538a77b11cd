"""A refused text says where."""

import pytest

from meshline.kernel import jsontext


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": [1, {"b/c": NaN}]}', "holds NaN at /a/1/b~1c (line 1, column 19)"),
        ('{"a": "NaN",\n "b": -Infinity}', "holds -Infinity at /b (line 2, column 7)"),
        ("Infinity", "holds Infinity at the top (line 1, column 1)"),
        ('{"x": 1, "lines": [{"sku": "}{", "price": 1},\n{"price": 1, "price": 2}]}', "'price' stands twice in one object, at /lines/1/price (line 2, column 14)"),
        ('{"a": 1, "\\u0061": 2}', "'a' stands twice in one object, at /a (line 1, column 10)"),
        ('{"a": {"a": 1}, "b": ["a", "a"], "b": 1}', "'b' stands twice in one object, at /b (line 1, column 34)"),
    ],
)  # fmt: skip
def test_parse_names_the_place(text: str, told: str) -> None:
    with pytest.raises(jsontext.BadJSON) as refused:
        jsontext.parse(text)
    assert told in refused.value.message
