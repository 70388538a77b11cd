"""Which contract reads a file: by the type that was named, or by the columns it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncflows.engine.files import delimited, jsontexts, lines
from syncflows.engine.files.errors import UnusableFile
from syncflows.engine.files.rows import Row
from syncflows.governance.catalog import Catalog, Versioned
from syncflows.governance.enums import Kind


@dataclass(frozen=True)
class Table:
    """How to read a CSV file. skip_lines: where its header ends."""

    contract: Versioned
    header: tuple[str, ...]
    delimiter: str
    skip_lines: int


def contracts_of(catalog: Catalog, *, system: str, type_: str) -> list[Versioned]:
    """The contract of the named type, or all of the system. Raises Missing for an unknown system, UnusableFile where there is none."""
    catalog.get(Kind.SYSTEM, system)
    found = [
        contract
        for contract in catalog.all(Kind.CONTRACT)
        if contract.spec.system == system and (not type_ or type_ in contract.spec.types)
    ]
    if not found:
        known = (
            ", ".join(
                name
                for contract in catalog.all(Kind.CONTRACT)
                if contract.spec.system == system
                for name in contract.spec.types
            )
            or "none"
        )
        raise UnusableFile(
            f"System {system} has no contract{f' for the type {type_!r}' if type_ else ''}. Types with a contract: {known}.",
            code="no_contract",
        )
    return found


def table_of(path: Path, encoding: str, contracts: Sequence[Versioned], *, named: bool) -> Table:
    """The contract whose columns the header has; of several the one with most. Raises UnusableFile, telling what was looked for."""
    headers = {delimiter: _header(path, encoding, delimiter) for delimiter in delimited.DELIMITERS}
    fits = [
        (len(contract.spec.csv.columns), delimiter, contract)
        for contract in contracts if contract.spec.csv
        for delimiter in dict.fromkeys((contract.spec.csv.delimiter, *delimited.DELIMITERS))
        if set(contract.spec.csv.columns) <= set(headers.get(delimiter) or headers.setdefault(delimiter, _header(path, encoding, delimiter)))
    ]  # fmt: skip
    if not fits and named and contracts[0].spec.csv is None:
        delimiter = max(headers, key=lambda one: len(headers[one].names))
        fits = [(0, delimiter, contracts[0])]
    best = [fit for fit in fits if fit[0] == max(fit[0] for fit in fits)]
    if len({contract.name for _, _, contract in best}) != 1:
        raise UnusableFile(_no_match(path, headers, contracts, several=[fit[2] for fit in best]), code="wrong_columns")
    _, delimiter, contract = best[0]
    header = headers[delimiter]
    _check_names(path, header.names)
    return Table(contract, header.names, delimiter, header.last_line)


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    last_line: int

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)


def _header(path: Path, encoding: str, delimiter: str) -> _Header:
    with lines.open_text(path, encoding) as handle:
        for number, raw, cells, _ in delimited.Records(handle, delimiter):
            if raw.lower().startswith("sep="):  # Excel's hint
                continue
            breaks = raw.rstrip("\r\n")
            inner = breaks.count("\n") or breaks.count("\r")
            return _Header(tuple(delimited.trimmed(cells or [])), number + inner)
    raise UnusableFile(f"{path.name} is empty: it has no header.", code="empty_file")


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if "" in names:
        raise UnusableFile(
            f"Column {names.index('') + 1} of {path.name} has no name in the header. Name it or remove it.",
            code="wrong_columns",
        )
    if twice:
        raise UnusableFile(
            f"The header of {path.name} has {', '.join(twice)} twice: which one counts is not defined. Rename one.",
            code="wrong_columns",
        )


def _no_match(
    path: Path, headers: dict[str, _Header], contracts: Sequence[Versioned], *, several: list[Versioned]
) -> str:
    names = max((header.names for header in headers.values()), key=len)
    if several:
        fitting = "; ".join(f"{contract.name} (--type {contract.spec.types[0]})" for contract in several)
        return f"The columns of {path.name} fit several contracts: {fitting}. Say which with --type."
    wanted = (
        "; ".join(
            f"{found.name} (--type {found.spec.types[0]}) lacks {_lacking(found, names)}"
            for found in contracts
            if found.spec.csv
        )
        or "none reads CSV"
    )
    return f"The columns of {path.name} fit no contract. It has: {', '.join(names)[:500]}. Contracts: {wanted}."


def _lacking(contract: Versioned, names: Sequence[str]) -> str:
    return ", ".join(name for name in contract.spec.csv.columns if name not in names)


def contract_of_objects(path: Path, rows: Iterator[Row], contracts: Sequence[Versioned]) -> Versioned:
    """The contract of a JSON file: the only one there is, or the one whose columns the first readable object has. Raises UnusableFile."""
    if len(contracts) == 1:
        return contracts[0]
    first = next((row.payload for row in rows if row.payload is not None), {})
    fits = [contract for contract in contracts if contract.spec.csv and set(contract.spec.csv.columns) <= set(first)]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(f"{contract.name} (--type {contract.spec.types[0]})" for contract in contracts)
    raise UnusableFile(
        f"Which contract reads {path.name} cannot be told from its fields. Say with --type. Contracts: {known}.",
        code="wrong_columns",
    )


READERS = {"jsonl": jsontexts.json_lines, "json": jsontexts.json_array}
