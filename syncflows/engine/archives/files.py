"""An archive on disk: a folder with one gzip file of PostgreSQL's COPY text per table, and a manifest that proves them. Knows no status.

Written beside its place under a name that begins with a dot, forced to the disk, read back, and only then given its name.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from meshline.kernel.errors import Invalid, Unavailable

FORMAT = "meshline-archive/1"
MANIFEST = "manifest.json"
BLOCK_BYTES = 1 << 20
LEVEL = 6


def write_table(folder: Path, table: str, blocks: Iterable[bytes]) -> dict[str, Any]:
    """Compress the rows into the folder and force them to the disk; what the manifest says of them. Raises OSError."""
    content, rows = hashlib.sha256(), 0
    path = folder / f"{table}.copy.gz"
    with path.open("xb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as packed:
            for block in blocks:
                content.update(block)
                rows += bytes(block).count(
                    b"\n"
                )  # COPY's text writes a line's end within a value as \n, two characters
                packed.write(block)
        file.flush()
        os.fsync(file.fileno())
    return {
        "table": table,
        "file": path.name,
        "rows": rows,
        "sha256": content.hexdigest(),
        "size_bytes": path.stat().st_size,
    }


def write_manifest(folder: Path, manifest: dict[str, Any]) -> str:
    """The manifest's own sha256. Raises OSError."""
    text = json.dumps({"format": FORMAT, **manifest}, indent=1).encode()
    with (folder / MANIFEST).open("xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync(folder)
    return hashlib.sha256(text).hexdigest()


def sync(folder: Path) -> None:
    """Force the folder's own entries to the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """The manifest and its sha256. Raises Invalid, saying what is wrong."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        manifest = json.loads(text)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror or error}.", code="archive_missing") from error
    except ValueError as error:
        raise Invalid(f"{path} is damaged: {error}.", code="archive_damaged") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Invalid(f"{path} is not the manifest of a {FORMAT} archive.", code="archive_foreign")
    return manifest, hashlib.sha256(text).hexdigest()


def check(folder: Path, manifest: dict[str, Any]) -> None:
    """Read every file to its end and compare it with the manifest. Raises Invalid, naming the file and what is wrong with it."""
    for told in manifest["tables"]:
        content, rows = hashlib.sha256(), 0
        for block in read_table(folder, told):
            content.update(block)
            rows += block.count(b"\n")
        if (rows, content.hexdigest()) != (told["rows"], told["sha256"]):
            raise Invalid(
                f"{folder / told['file']} is damaged: it holds {rows} rows, the manifest says {told['rows']}, or their content was changed.",
                code="archive_damaged",
            )


def read_table(folder: Path, told: dict[str, Any]) -> Iterator[bytes]:
    """The rows as COPY wrote them, in blocks. Raises Invalid where the file is missing or damaged."""
    path = folder / Path(told["file"]).name
    try:
        if told.get("size_bytes") != path.stat().st_size:
            raise Invalid(
                f"{path} is damaged: it has {path.stat().st_size} bytes, not {told.get('size_bytes')}.",
                code="archive_damaged",
            )
        with gzip.open(path, "rb") as packed:
            yield from iter(lambda: packed.read(BLOCK_BYTES), b"")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Invalid(f"{path} is damaged: {error}.", code="archive_damaged") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror or error}.", code="archive_missing") from error


def make_folder(folder: Path) -> None:
    """An empty folder, its parents with it. Raises Unavailable."""
    with _said(folder, "made"):
        remove(folder)
        folder.mkdir(parents=True)


def remove(folder: Path) -> None:
    """The folder with all that is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=not folder.exists())


def give_name(partial: Path, folder: Path) -> None:
    partial.rename(folder)
    sync(folder.parent)


@contextlib.contextmanager
def _said(folder: Path, done: str) -> Iterator[None]:
    """Turns an error of the file system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The archive {folder} could not be {done}: {error.strerror or error}. Nothing left the database, and what was written is removed. "
            "Make room there or name another folder in the Retention definition, then archive again.",
            code="archive_not_written",
        ) from error


def written(folder: Path, write: Callable[[], str]) -> str:
    """What `write` returns; where it fails, whatever it left in the folder is removed. Raises Unavailable for the file system's errors."""
    try:
        with _said(folder, "written"):
            return write()
    except BaseException:
        remove(folder)
        raise
