"""JSON Lines, and JSON arrays read element by element: one bad element spoils itself only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

from meshline.kernel import jsontext
from syncflows.engine.files import lines
from syncflows.engine.files.rows import Row, bad

CHUNK = 1 << 16
ELEMENT_LENGTH = 4 * 1024 * 1024
SHOWN = 200
# What matters to find an element's end: strings as a whole (or an open one), brackets, commas.
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
STRUCTURE = re.compile(r'["\[\]{},]')


def json_lines(handle: TextIO) -> Iterator[Row]:
    """One object a line; blank lines are not rows."""
    for number, text, cut in lines.numbered(handle):
        if cut:
            yield bad(number, text, f"the line is longer than {lines.LINE_LENGTH:,} characters")
        elif text.strip("\ufeff \t\r\n"):
            yield _row(number, text)


def json_array(handle: TextIO) -> Iterator[Row]:
    """The elements of an array; or the one object that the file is, or the several that follow each other."""
    for line, text, problem in Elements(handle):
        yield bad(line, text, problem) if problem else _row(line, text)


class Elements:
    """(line, text, problem) of each element, holding one element and a chunk in memory."""

    def __init__(self, handle: TextIO) -> None:
        self.handle = handle
        self.buffer, self.position, self.line = "", 0, 1
        self.ended = self.lost = False

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        first = self._skip_blank("\ufeff")
        if first == "[":
            self._advance(1)
            yield from self._elements()
            if not self.lost and self._skip_blank():
                yield (
                    self.line,
                    self.buffer[self.position : self.position + SHOWN],
                    "text follows after the end of the array",
                )
            return
        while not self.lost and self._skip_blank():
            yield self._element()

    def _elements(self) -> Iterator[tuple[int, str, str]]:
        while (first := self._skip_blank(",")) != "]":
            if not first:
                yield self.line, "", "the file ends before its array does: it was cut off"
                return
            yield self._element()
            if self.lost:
                return
        self._advance(1)

    def _element(self) -> tuple[int, str, str]:
        """From here to the comma or bracket that ends it."""
        start, depth, at = self.line, 0, self.position
        while True:
            match = STRUCTURE.search(self.buffer, at)
            if match is None:
                at = len(self.buffer)
                if not self._more_of_element():
                    return (
                        start,
                        self._give_up(),
                        "the file ends in the middle of it"
                        if self.ended
                        else "it is longer than 4 MiB; what follows it was not read",
                    )
                continue
            mark = match[0]
            if mark == '"':
                at = self._string_end(match.start())
                continue
            at = match.end()
            depth += (mark in "[{") - (mark in "]}")
            if depth < 0 or (depth == 0 and mark == ","):
                return (
                    start,
                    self._take(max(match.start(), self.position + 1)),
                    "",
                )  # a stray bracket is an element, or nothing would move
            if depth == 0 and mark in "]}":
                return start, self._take(at), ""

    def _string_end(self, start: int) -> int:
        """Where the string that begins at `start` ends; the end of the text where it never does."""
        while (match := STRING.match(self.buffer, start)) is None:
            if not self._more_of_element():
                return len(self.buffer)
        return match.end()

    def _more_of_element(self) -> bool:
        return len(self.buffer) - self.position <= ELEMENT_LENGTH and self._more()

    def _give_up(self) -> str:
        """Where an element never ends, nothing after it can be told apart."""
        text = self._take(len(self.buffer))
        self.lost = True
        while self._more():
            self.buffer = ""
        return text

    def _skip_blank(self, also: str = "") -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self.position < len(self.buffer):
                character = self.buffer[self.position]
                if character not in " \t\r\n" and character not in also:
                    return character
                self._advance(1)
            if not self._more():
                return ""

    def _more(self) -> bool:
        chunk = self.handle.read(CHUNK)
        self.ended = not chunk
        self.buffer += chunk
        return bool(chunk)

    def _advance(self, count: int) -> None:
        self._take(self.position + count)

    def _take(self, end: int) -> str:
        taken = self.buffer[self.position : end]
        self.line += taken.count("\n")
        self.position = end
        if self.position >= CHUNK:
            self.buffer, self.position = self.buffer[self.position :], 0
        return taken


def _row(line: int, text: str) -> Row:
    if lines.undecodable(text):
        return bad(line, lines.shown(text), "it holds bytes that are not in the file's encoding")
    try:
        value = jsontext.parse(text)
    except jsontext.BadJSON as error:
        return bad(line, text, error.message)
    if not isinstance(value, dict):
        return bad(line, text, "it is not a JSON object")
    return Row(line, text.strip(), value)
