"""JSON arrays, element by element."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.files import jsontexts


def rows(text: str) -> list[tuple[int, Any]]:
    return [
        (row.line, row.payload if row.payload is not None else row.problem.split(":")[0].rstrip("."))
        for row in jsontexts.json_array(io.StringIO(text, newline=""))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n[ ]\n", []),
        ('{"a": 1}', [(1, {"a": 1})]),
        ('{"a": 1}\n{"a": 2}\n', [(1, {"a": 1}), (2, {"a": 2})]),
        ('\ufeff[{"a": "]},{\\""},\n\n{"b": [1, {"c": 2}]}]', [(1, {"a": ']},{"'}), (3, {"b": [1, {"c": 2}]})]),
        (
            '[{"a": 1}, 5, {"b": }, {"c": 3}]',
            [(1, {"a": 1}), (1, "it is not a JSON object"), (1, "The body is not JSON"), (1, {"c": 3})],
        ),
        ('[{"a": 1}', [(1, {"a": 1}), (1, "the file ends before its array does")]),
        ('[{"a": 1}, {"b": "x', [(1, {"a": 1}), (1, "the file ends in the middle of it")]),
        ('[{"a": 1}] {"b": 2}', [(1, {"a": 1}), (1, "text follows after the end of the array")]),
    ],
)
def test_json_array_rows(text: str, expected: list[tuple[int, Any]]) -> None:
    assert rows(text) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=5), st.sampled_from([None, 2]))
def test_json_array_reads_whatever_json_writes(values: list[dict[str, Any]], indent: int | None) -> None:
    assert [value for _, value in rows(json.dumps(values, indent=indent))] == values


@given(st.text(alphabet='[]{}",\\: 1a\n', max_size=60))
def test_json_array_never_fails_or_hangs(text: str) -> None:
    assert len(rows(text)) <= len(text) + 1
