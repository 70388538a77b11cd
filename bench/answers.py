"""Reads HTTP/1.1 answers from a stream of bytes, as little of them as a load generator needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after_s: float = 1.0


class Answers:
    """Feed it bytes as they come; it yields each answer once its body is there. Raises ValueError for what it cannot read."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Answer]:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            whole = end + 4 + int(_header(head, b"content-length", missing=b""))
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            yield Answer(int(head[9:12]), float(_header(head, b"retry-after", missing=b"1")))


def _header(head: bytes, name: bytes, *, missing: bytes) -> bytes:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        if not missing:
            raise ValueError(f"an answer without {name.decode()}: {head[:200]!r}")
        return missing
    begin = at + len(name) + 3
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else None].strip()
