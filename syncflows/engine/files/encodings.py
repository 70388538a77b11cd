"""Which encoding a file is in: byte order mark, UTF-8 if it is, UTF-16 by its zero bytes, else the likeliest Windows or ISO code page. Pure but for reading."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 256 * 1024
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF8_SEQUENCE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]+")
CODE_PAGES = ["cp1252", "cp1250", "cp1251", "iso8859_2", "iso8859_15", "cp932", "gb18030", "mac_roman"]
WESTERN = "cp1252"


@dataclass(frozen=True)
class Seen:
    """What one pass over a file's bytes tells."""

    encoding: str
    size_bytes: int
    digest: str


def inspect(path: Path) -> Seen:
    """Size, SHA-256 and encoding, in one pass and little memory. Bytes that fit no encoding stay readable as lone surrogates (`surrogateescape`)."""
    hasher, size, head, utf8, odd = hashlib.sha256(), 0, b"", _Utf8(), b""
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            hasher.update(chunk)
            head = head or chunk[:SAMPLE_BYTES]
            if utf8.feed(chunk) and len(odd) < SAMPLE_BYTES:
                odd += _unusual_lines(chunk)
            size += len(chunk)
    return Seen(_encoding(head, utf8, odd[:SAMPLE_BYTES]), size, hasher.hexdigest())


class _Utf8:
    """Whether bytes are UTF-8, chunk by chunk; and if not, whether they mostly are."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.broken = False
        self.sequences = 0

    def feed(self, chunk: bytes) -> bool:
        """Returns whether the text so far has broken UTF-8."""
        self.sequences += len(UTF8_SEQUENCE.findall(chunk)) if not chunk.isascii() else 0
        if not self.broken:
            try:
                self.decoder.decode(chunk)
            except UnicodeDecodeError:
                self.broken = True
        return self.broken


def _encoding(head: bytes, utf8: _Utf8, odd: bytes) -> str:
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if wide := _wide_without_mark(head):
        return wide
    lone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", odd))
    if not utf8.broken or utf8.sequences > lone:
        return "utf-8"  # a few bad bytes in a UTF-8 file spoil their own rows, not the names in all others
    return _code_page(odd)


def _wide_without_mark(head: bytes) -> str:
    """UTF-16 of mostly Latin text has a zero in every other place."""
    even, odd = head[0:2000:2].count(0), head[1:2000:2].count(0)
    half = min(len(head), 2000) // 2
    if half >= 4 and max(even, odd) > half * 0.6 and min(even, odd) < half * 0.1:
        return "utf-16-be" if even > odd else "utf-16-le"
    return ""


def _unusual_lines(chunk: bytes) -> bytes:
    return b"\n".join(line for line in chunk.splitlines() if not line.isascii())[:SAMPLE_BYTES]


def _code_page(sample: bytes) -> str:
    """Windows-1252 is what Western spreadsheets write; another page must read clearly better."""
    best = charset_normalizer.from_bytes(sample, cp_isolation=CODE_PAGES).best()
    if best is None or WESTERN in best.could_be_from_charset:
        return WESTERN
    return str(best.encoding)
