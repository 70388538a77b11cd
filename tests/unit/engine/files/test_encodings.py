"""Which encoding a file is in."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncflows.engine.files import delimited, encodings, jsontexts, lines

GERMAN = "deal,note\n" + "".join(f"D{number},Müller & Söhne, Straße, Größe, Café, 5 €\n" for number in range(20))


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32"), ("cp1252", "cp1252"),
    ],
)  # fmt: skip
def test_inspect_finds_the_encoding(tmp_path: Path, encoding: str, seen: str) -> None:
    path = tmp_path / "deals.csv"
    path.write_bytes(GERMAN.encode(encoding))
    assert encodings.inspect(path).encoding == seen
    with lines.open_text(path, seen) as handle:
        assert handle.read() == GERMAN


def test_inspect_finds_cyrillic(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    text = "номер,примечание\n" + "Д1,Общество с ограниченной ответственностью Ромашка\n" * 20
    path.write_bytes(text.encode("cp1251"))
    with lines.open_text(path, encodings.inspect(path).encoding) as handle:
        assert handle.read() == text


def test_inspect_keeps_utf8_where_a_few_bytes_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_bytes(GERMAN.encode() + b"D21,\xff\n")
    assert encodings.inspect(path).encoding == "utf-8"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400))
def test_inspect_always_gives_an_encoding_that_can_be_opened(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    with lines.open_text(path, encodings.inspect(path).encoding) as handle:
        for _ in delimited.rows(handle, header=("a",), delimiter=",", skip_lines=0):
            pass


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_thirty_megabytes_are_read_in_little_memory(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"big.{form}"
    note = "x" * 29_000
    row = f'{{"a": 1, "b": "{note}"}}'
    with path.open("w") as handle:
        handle.write({"csv": "a,b\n", "jsonl": "", "json": "["}[form])
        for number in range(1060):
            handle.write({"csv": f"1,{note}\n", "jsonl": f"{row}\n", "json": f"{',' if number else ''}\n{row}"}[form])
        handle.write({"csv": "", "jsonl": "", "json": "\n]"}[form])
    assert path.stat().st_size > 30_000_000
    tracemalloc.start()
    with lines.open_text(path, encodings.inspect(path).encoding) as handle:
        count = sum(1 for _ in _rows(form, handle))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1060
    assert peak < 8_000_000


def _rows(form: str, handle: object) -> Iterator[object]:
    if form == "csv":
        return delimited.rows(handle, header=("a", "b"), delimiter=",", skip_lines=1)  # type: ignore[arg-type]
    return {"jsonl": jsontexts.json_lines, "json": jsontexts.json_array}[form](handle)  # type: ignore[arg-type]
