"""`manage.py ingest FILE --system S [--type T]`: rows of a file become events. JSON {read, accepted, duplicate, quarantined} on standard output."""

import json
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from meshline.kernel import actors
from meshline.kernel.errors import Invalid, MeshlineError, Missing
from ownership.models import User
from syncflows.engine.files import imports
from syncflows.engine.soft import batches

REFUSED, DATABASE_DOWN = 1, 2
SPOOL_CHUNK_BYTES = 1 << 20


class Command(BaseCommand):
    help = "Import a .csv, .jsonl, .ndjson or .json file (or - for standard input) as events of a system. Running it again adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--system", required=True, help="the system whose events these are")
        parser.add_argument(
            "--type", default="", help="the event type; default: the contract whose columns the file has"
        )
        parser.add_argument(
            "--staged", action="store_true", help="stage every write of it in the soft ledger; nothing goes out"
        )
        parser.add_argument(
            "--batch", default="", help="label of the staged import; default: the file's name and the minute"
        )
        parser.add_argument("--by", default="", metavar="USER", help="who imports; they may not approve it later")

    def handle(self, *args: Any, file: str, system: str, type: str, **options: Any) -> None:  # noqa: A002 - the option's name
        try:
            batch = self._begin(file, **options)
            if file == "-":
                with tempfile.NamedTemporaryFile(prefix="meshline-ingest-") as spool:
                    form = _spool(sys.stdin.buffer, spool)
                    summary = self._run(
                        Path(spool.name), system=system, type_=type, name="standard input", form=form, batch=batch
                    )
            else:
                summary = self._run(Path(file), system=system, type_=type, batch=batch)
        except MeshlineError as error:
            raise CommandError(error.message, returncode=REFUSED) from error
        except (OperationalError, InterfaceError) as error:
            said = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
            raise CommandError(
                f"The database does not answer ({said}). What was committed stays; run this again and it goes on from there.",
                returncode=DATABASE_DOWN,
            ) from error
        self.stdout.write(json.dumps({**summary.as_json(), **({"batch": batch} if batch else {})}))

    def _begin(self, file: str, *, staged: bool, batch: str, by: str, **_: Any) -> str:
        """The label of the staged import, or empty. Raises Invalid, Missing."""
        if not staged:
            if batch:
                raise Invalid("--batch names a staged import: say --staged, too.", code="batch_not_staged")
            return ""
        who = actors.system("command line")
        if by:
            user = User.objects.filter(username=by).first()
            if user is None:
                raise Missing(f"There is no user {by!r}.", code="unknown_user")
            who = actors.of(user)
        name = "standard-input" if file == "-" else Path(file).name
        return batches.begin(batch or batches.default_label(name), by=who).label

    def _run(self, path: Path, **how: Any) -> imports.Summary:
        found = imports.plan(path, **how)
        progress = imports.begin(found)
        if progress.position:
            self.stderr.write(f"{found.name} was begun before: going on after row {progress.position:,}.")
        quiet = not sys.stderr.isatty()
        with tqdm(
            total=found.size_bytes,
            unit="B",
            unit_scale=True,
            desc=found.name[:40],
            file=sys.stderr,
            mininterval=5 if quiet else 0.2,
        ) as bar:
            return imports.run(
                found,
                progress,
                tell=lambda position: bar.update(position - bar.n),
                tell_waiting=lambda words: bar.set_postfix_str(words.split(". ")[0], refresh=True),
            )


def _spool(source: IO[bytes], spool: Any) -> str:
    """Copy standard input to a file that can be read twice. Returns what it looks like: json for `[`, jsonl for `{`, else csv."""
    head = b""
    while chunk := source.read(SPOOL_CHUNK_BYTES):
        head = head or chunk[:1000]
        spool.write(chunk)
    spool.flush()
    first = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]
    return {b"[": "json", b"{": "jsonl"}.get(first, "csv")
