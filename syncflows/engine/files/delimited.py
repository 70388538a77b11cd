"""CSV (RFC 4180) as spreadsheets and databases write it: quoted line breaks, any line end, other delimiters, and damaged rows that stay alone."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TextIO

from syncflows.engine.files import lines
from syncflows.engine.files.rows import Row, bad

DELIMITERS = (",", ";", "\t", "|")
RECORD_LINES, RECORD_LENGTH = 1000, 4 * 1024 * 1024
csv.field_size_limit(RECORD_LENGTH)

Line = tuple[int, str, bool]


class Records:
    """The records of a CSV file: (line number, raw text, cells or None, problem)."""

    def __init__(self, handle: TextIO, delimiter: str) -> None:
        self.source = lines.numbered(handle)
        self.back: deque[Line] = deque()
        self.delimiter = delimiter

    def __iter__(self) -> Iterator[tuple[int, str, list[str] | None, str]]:
        while (line := self._line()) is not None:
            number, text, cut = line
            if cut:
                yield number, text, None, f"the line is longer than {lines.LINE_LENGTH:,} characters"
            elif text.strip("\r\n \t" + self.delimiter):
                yield self._record(number, text)

    def _line(self) -> Line | None:
        return self.back.popleft() if self.back else next(self.source, None)

    def _record(self, number: int, text: str) -> tuple[int, str, list[str] | None, str]:
        if '"' not in text:
            return number, text, text.rstrip("\r\n").split(self.delimiter), ""
        try:
            whole, cells = self._quoted(text)
        except csv.Error:
            return number, text, None, "its quotes do not pair: a quoted cell is never closed"
        return number, whole, cells, ""

    def _quoted(self, text: str) -> tuple[str, list[str]]:
        """The text of a record that begins in `text`, and its cells. Raises csv.Error; then only this line is spoilt, what follows is read again."""
        whole, taken = text, list[Line]()
        try:
            while (cells := self._cells(whole, alone=not taken)) is None:
                line = self._line()
                if line is None:
                    raise csv.Error("the file ends")
                taken.append(line)
                whole += line[1]
                if line[2] or len(taken) > RECORD_LINES or len(whole) > RECORD_LENGTH:
                    raise csv.Error("too long")
        except csv.Error:
            self.back.extendleft(reversed(taken))
            raise
        return whole, cells

    def _cells(self, text: str, *, alone: bool) -> list[str] | None:
        """The cells, or None where a quoted cell is still open. One line that is strictly wrong but clear is read as spreadsheets do. Raises csv.Error."""
        try:
            return next(csv.reader([text], delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                return None
            if not alone:
                raise
        return next(csv.reader([text], delimiter=self.delimiter))


def trimmed(cells: Sequence[str]) -> list[str]:
    """Names of the columns, trimmed; empty ones at the end, which spreadsheets leave, are dropped."""
    names = [cell.strip().lstrip("\ufeff") for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def rows(handle: TextIO, *, header: Sequence[str], delimiter: str, skip_lines: int) -> Iterator[Row]:
    """The rows below the header, which ends at line `skip_lines`. Blank rows are not rows."""
    for number, raw, cells, problem in Records(handle, delimiter):
        if number <= skip_lines:
            continue
        problem = problem or _problem(raw, cells or [], len(header))
        if problem:
            yield bad(number, lines.shown(raw), problem)
        else:
            yield Row(number, raw.rstrip("\r\n"), dict(zip(header, cells or [], strict=False)))


def _problem(raw: str, cells: list[str], width: int) -> str:
    if lines.undecodable(raw):
        return "it holds bytes that are not in the file's encoding"
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        return f"it has {len(cells)} cells where the header has {width}"
    return ""
