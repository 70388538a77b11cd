"""Text files line by line, with a bound on the length of a line, so that no file can fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

LINE_LENGTH = 4 * 1024 * 1024


def open_text(path: Path, encoding: str) -> TextIO:
    """Open with line ends as they are (CR, LF, CRLF); undecodable bytes become lone surrogates, which the row's check finds."""
    return path.open(
        encoding=encoding,
        errors="surrogateescape" if encoding.startswith("utf-8") or "utf" not in encoding else "replace",
        newline="",
    )


def numbered(handle: TextIO) -> Iterator[tuple[int, str, bool]]:
    """(line number, text with its line end, whether it was cut because it is too long)."""
    number = 0
    while line := handle.readline(LINE_LENGTH):
        number += 1
        cut = len(line) == LINE_LENGTH and not line.endswith(("\n", "\r"))
        yield number, line, cut
        while (
            cut
            and (rest := handle.readline(LINE_LENGTH))
            and not (rest.endswith(("\n", "\r")) or len(rest) < LINE_LENGTH)
        ):
            pass


def undecodable(text: str) -> bool:
    """Whether bytes of it were not in the file's encoding."""
    return not text.isascii() and any("\udc80" <= character <= "\udcff" or character == "\ufffd" for character in text)


def shown(text: str) -> str:
    """The text with such bytes as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
