"""A folder of YAML files to definitions. All faults of all files are told at once. Must not touch the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from syncflows.governance import yaml_reading
from syncflows.governance.problems import BadDefinitions, Problem
from syncflows.governance.validation import Loaded, check

SUFFIXES = frozenset({".yaml", ".yml"})
SIZE_LIMIT_BYTES = 2_000_000


@dataclass
class Reading:
    """What a folder holds: valid definitions, and everything that is wrong with the others."""

    documents: list[Loaded] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def load(folder: Path) -> list[Loaded]:
    """The definitions in a folder and the folders below. Raises BadDefinitions with every problem of every file."""
    reading = read(folder)
    if reading.problems:
        raise BadDefinitions(reading.problems)
    return reading.documents


def read(folder: Path) -> Reading:
    """The same, with problems as values."""
    reading = Reading()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        reading.problems.append(
            Problem(
                str(folder), 0, "", f"the folder {what}.", "Name a folder of .yaml files, such as docs/examples/demo."
            )
        )
        return reading
    paths = sorted(_paths(folder))
    for path in paths:
        _read_file(path, path.relative_to(folder).as_posix(), reading)
    reading.problems += _twice(reading.documents)
    if not reading.documents and not reading.problems:
        held = f"{len(paths)} YAML files, none with a definition" if paths else "no .yaml or .yml files"
        reading.problems.append(
            Problem(
                str(folder),
                0,
                "",
                f"the folder holds {held}.",
                "Name the folder your definitions are in; docs/examples/demo shows some.",
            )
        )
    return reading


def _paths(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and not hidden and not path.is_dir():
            yield path


def _read_file(path: Path, name: str, reading: Reading) -> None:
    try:
        text = _text(path)
    except (OSError, ValueError) as error:
        reading.problems.append(
            Problem(name, 0, "", f"cannot be read: {error}.", "Save it as UTF-8 text, readable by this account.")
        )
        return
    for parsed in yaml_reading.parse(text):
        document, problems = check(parsed, file=name)
        reading.problems += problems
        if document:
            reading.documents.append(document)


def _text(path: Path) -> str:
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise ValueError(f"it is larger than {SIZE_LIMIT_BYTES // 1_000_000} MB")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (line {data[: error.start].count(10) + 1})") from error


def _twice(documents: list[Loaded]) -> Iterator[Problem]:
    first: dict[str, Loaded] = {}
    for found in documents:
        other = first.setdefault(found.ident, found)
        if other is not found:
            place = f"{other.file}:{other.parsed.line_of(('metadata', 'name'))}"
            yield found.problem(
                ("metadata", "name"),
                f"{found.ident} is defined twice; the first is in {place}.",
                "Remove or rename one.",
            )
