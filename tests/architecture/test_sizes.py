"""Files and functions stay small enough to read, and modules are named for what they hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.code import PRODUCT, SUPPORT, name_of, python_files

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 40
GRAB_BAGS = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})


def test_files_stay_within_their_length() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files(*PRODUCT, *SUPPORT)}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_functions_stay_within_their_length() -> None:
    found = (item for path in python_files(*PRODUCT, *SUPPORT) for item in _functions(path))
    assert {name: length for name, length in found if length > FUNCTION_LINES_MAX} == {}


def test_modules_are_named_for_a_noun() -> None:
    assert [name_of(path) for path in python_files(*PRODUCT, *SUPPORT) if path.stem in GRAB_BAGS] == []


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}:{node.lineno} {node.name}", _length(node)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end without the docstring, which is asked to be complete rather than short."""
    docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    return whole - ((docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0)
