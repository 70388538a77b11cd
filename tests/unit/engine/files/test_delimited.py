"""CSV rows, and the damage that stays alone."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncflows.engine.files import delimited

HEADER = ("a", "b")
OPEN = "its quotes do not pair: a quoted cell is never closed"


def rows(text: str, delimiter: str = ",") -> list[tuple[int, object]]:
    found = delimited.rows(io.StringIO(text, newline=""), header=HEADER, delimiter=delimiter, skip_lines=1)
    return [(row.line, row.problem or tuple((row.payload or {}).values())) for row in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", [(2, ("1", "2"))]),
        ('a,b\r\n"x\r\ny",2\r\n3,4', [(2, ("x\r\ny", "2")), (4, ("3", "4"))]),
        ("a,b\r1,2\r3,4\r", [(2, ("1", "2")), (3, ("3", "4"))]),
        ('a,b\n"say ""hi""",2\n', [(2, ('say "hi"', "2"))]),
        ('a,b\n5" disk,2\n3,4\n', [(2, ('5" disk', "2")), (3, ("3", "4"))]),
        ('a,b\n"x"y,2\n3,4\n', [(2, ("xy", "2")), (3, ("3", "4"))]),
        ("a,b\n\n , \n,,\n1,2,,\n", [(5, ("1", "2"))]),
        (
            "a,b\n1\n1,2,3\n4,5\n",
            [
                (2, "it has 1 cells where the header has 2"),
                (3, "it has 3 cells where the header has 2"),
                (4, ("4", "5")),
            ],
        ),
        ('a,b\n"open,2\n3,4\n5,6\n', [(2, OPEN), (3, ("3", "4")), (4, ("5", "6"))]),
        ('a,b\n1,"open\n3,"x"\n5,6\n', [(2, OPEN), (3, ("3", "x")), (4, ("5", "6"))]),
        ("a,b\n1,\udcff\n3,4\n", [(2, "it holds bytes that are not in the file's encoding"), (3, ("3", "4"))]),
        ("a,b\n1,\u2028x\x0by\n", [(2, ("1", "\u2028x\x0by"))]),
    ],
)
def test_rows_of(text: str, expected: list[tuple[int, object]]) -> None:
    assert rows(text) == expected


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(
    st.lists(st.tuples(CELL, CELL).filter(lambda pair: "".join(pair).strip(" \t\r\n,;")), max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\r\n", "\n"]),
)
def test_rows_reads_whatever_csv_writes(written: list[tuple[str, str]], delimiter: str, line_end: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([HEADER, *written])
    assert [cells for _, cells in rows(out.getvalue(), delimiter)] == written


@given(st.text(alphabet='a,"\n\r;', max_size=60))
def test_rows_never_fails(text: str) -> None:
    rows("a,b\n" + text)


def test_an_open_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    body = "".join(f"{number},x\n" for number in range(5000))
    found = rows(f'a,b\n0,"open\n{body}')
    assert len(found) == 5001
    assert [problem for _, problem in found if isinstance(problem, str)] == [OPEN]
