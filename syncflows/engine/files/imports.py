"""Import a file: batches of rows become events, and how far it got is committed with them, so that an import that was cut off goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from django.db import transaction
from django.utils import timezone

from meshline.kernel import fingerprint
from syncflows.engine import ingest
from syncflows.engine.arrivals import Arrival, Problem, Receipt
from syncflows.engine.door import turns
from syncflows.engine.enums import IngestOutcome
from syncflows.engine.files import delimited, encodings, lines, tables
from syncflows.engine.files.errors import ImportedElsewhere, UnusableFile
from syncflows.engine.files.rows import Row
from syncflows.engine.models import SourceFile
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog

BATCH_ROWS, BATCH_CHARACTERS = 500, 4_000_000
FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
FIX_ROW = "Correct the row here and release it, or correct the file and import it again: rows that are here already are not taken twice."
Progress = Callable[[int], None]


@dataclass
class Summary:
    """Rows of this import by what became of them: read is the sum of the others."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def count(self, receipts: list[Receipt]) -> None:
        outcomes = [receipt.outcome for receipt in receipts]
        self.read += len(outcomes)
        self.accepted += outcomes.count(IngestOutcome.ACCEPTED)
        self.duplicate += outcomes.count(IngestOutcome.DUPLICATE)
        self.quarantined += outcomes.count(IngestOutcome.QUARANTINED)

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """How one file will be read. `open_rows` reads its rows from the start; `batch` the staged import it is, or empty."""

    path: Path
    name: str
    source: str
    type: str
    encoding: str
    size_bytes: int
    identity: str
    definitions: Catalog
    batch: str
    open_rows: Callable[[TextIO], Iterator[Row]]


def plan(path: Path, *, system: str, type_: str = "", name: str = "", form: str = "", batch: str = "") -> Plan:
    """Look at the file and the definitions, and decide. Raises UnusableFile, Missing. `form` csv, jsonl or json where the name does not say."""
    definitions = catalog.current()
    candidates = tables.contracts_of(definitions, system=system, type_=type_)
    form = form or _form(path)
    seen = _inspect(path)
    if form == "csv":
        table = tables.table_of(path, seen.encoding, candidates, named=bool(type_))
        contract = table.contract

        def read(handle: TextIO) -> Iterator[Row]:
            return delimited.rows(handle, header=table.header, delimiter=table.delimiter, skip_lines=table.skip_lines)
    else:
        read = tables.READERS[form]
        with lines.open_text(path, seen.encoding) as handle:
            contract = tables.contract_of_objects(path, read(handle), candidates)
    chosen = type_ or contract.spec.types[0]
    identity = fingerprint.of([seen.digest, contract.name, chosen, *([batch] if batch else [])])
    return Plan(
        path, name or path.name, system, chosen, seen.encoding, seen.size_bytes, identity, definitions, batch, read
    )


def begin(found: Plan) -> SourceFile:
    """How far this file got. One that was finished begins anew: its rows are known, so nothing is taken twice."""
    progress, _ = SourceFile.objects.get_or_create(
        source=found.source, fingerprint=found.identity, defaults={"name": found.name[:300]}
    )
    if progress.finished_at is not None:
        progress.position, progress.finished_at = 0, None
        progress.save()
    return progress


def run(found: Plan, progress: SourceFile, *, tell: Progress, tell_waiting: turns.Tell = lambda words: None) -> Summary:
    """Import what is left, batch by batch, as fast as the source's quotas and the backlog allow. `tell` gets the bytes read so far.

    Raises ImportedElsewhere, QuotaUsedUp (the day's), BacklogFull (and nothing is worked off); what is committed stays.

    Idempotent: on the rows' event ids.
    """
    summary = Summary()
    with lines.open_text(found.path, found.encoding) as handle:
        remaining = islice(found.open_rows(handle), progress.position, None)
        for batch in _batches(remaining, turns.most_at_once(found.source, found.definitions) or BATCH_ROWS):
            turns.wait(found.source, len(batch), found.definitions, tell=tell_waiting)
            summary.count(_commit(found, progress, batch))
            tell(handle.buffer.tell())
    SourceFile.objects.filter(pk=progress.pk).update(finished_at=timezone.now())
    return summary


def _commit(found: Plan, progress: SourceFile, batch: list[Row]) -> list[Receipt]:
    """One transaction for the events and the position. Locks: the file's row, so that two imports of one file cannot interleave."""
    position = progress.position + len(batch)
    with transaction.atomic():
        moved = SourceFile.objects.filter(pk=progress.pk, position=progress.position).update(
            position=position, updated_at=timezone.now()
        )
        if not moved:
            raise ImportedElsewhere(
                f"{found.name} is being imported by another process. Wait until it ends; running this again then adds nothing."
            )
        receipts = ingest.accept([_arrival(found, row) for row in batch], catalog=found.definitions)
    progress.position = position
    return receipts


def _arrival(found: Plan, row: Row) -> Arrival:
    where = f"{found.name} line {row.line}"
    problem = (
        Problem("malformed_row", f"{where} cannot be read: {row.problem.rstrip('.')}.", FIX_ROW)
        if row.problem
        else None
    )
    return Arrival(
        source=found.source,
        type=found.type,
        payload=row.payload,
        origin=where,
        line=row.line,
        raw=row.raw,
        problem=problem,
        batch=found.batch,
    )


def _batches(rows: Iterator[Row], rows_max: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.raw)
        if len(batch) >= min(rows_max, BATCH_ROWS) or size > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _form(path: Path) -> str:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UnusableFile(
            f"{path.name} is none of {', '.join(FORMATS)}. Rename it to what it is, or pipe it in as `-`.",
            code="unknown_format",
        ) from None


def _inspect(path: Path) -> encodings.Seen:
    try:
        with path.open("rb") as handle:
            head = handle.read(8)
        seen = encodings.inspect(path)
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror or error}.", code="unreadable_file") from error
    if head.startswith(WORKBOOKS):
        raise UnusableFile(
            f"{path.name} is a workbook or an archive, not text. Save it as CSV UTF-8 and import that.",
            code="unknown_format",
        )
    return seen
