"""`manage.py staged list|compare|promote|adopt|approve|revoke|gates`: the soft ledger from the command line. A JSON object on standard output, last.

Acts on what the options leave, in slices, in this process; exits 1 where any document was left as it is.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from tqdm import tqdm

from meshline.kernel import jsontext
from meshline.kernel.api.fields import amount as exact
from meshline.kernel.errors import MeshlineError
from ownership.models import User
from syncflows.engine import batch as engine
from syncflows.engine.enums import BulkState, StagedAction, StagedStatus
from syncflows.engine.soft import bulk, gating
from syncflows.engine.soft.filters import StagedFilter
from syncflows.engine.soft.models import StagedBulk, StagedDocument

NAMES = ("batch", "flow", "system", "verdict", "gate", "status")
PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = "List, compare, promote, adopt, approve and revoke staged documents, or ask their gates. Prints a JSON object last; exits 1 where any was left."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="staged documents, oldest first")
        _add_choice(listed)
        verbs.add_parser("gates", help="ask the gates that are due, and promote what opens")
        for action in StagedAction.values:
            act = verbs.add_parser(action, help=f"{action} staged documents")
            act.add_argument("ids", nargs="*", metavar="ID", help="public ids (stg_…)")
            act.add_argument("--all", action="store_true", help="every staged document that the other options leave")
            act.add_argument("--by", required=True, metavar="USER", help="who decides")
            act.add_argument("--reason", default="", help="kept as evidence; required but for compare")
            act.add_argument("--dry-run", action="store_true", help="only say what it would do")
            _add_choice(act)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            if verb == "gates":
                self._say(self._gates())
            elif verb == "list":
                self._say(_listed(_narrowed(options)))
            else:
                self._act(StagedAction(verb), **options)
        except MeshlineError as error:
            raise CommandError(error.message) from error

    def _gates(self) -> dict[str, int]:
        told = {"judged": 0, "opened": 0, "promoted": 0}
        while (found := gating.ask()).judged:
            told = {name: told[name] + getattr(found, name) for name in told}
        return told

    def _act(self, action: StagedAction, **options: Any) -> None:
        if bool(options["ids"]) == options["all"]:
            raise CommandError("Name documents (stg_…), or say --all to act on what the other options leave.")
        by = User.objects.filter(username=options["by"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is no active user {options['by']!r}.")
        rows = _narrowed({**options, "status": options["status"] or StagedStatus.STAGED.value})
        found = bulk.make(action, rows, by=by)
        if options["dry_run"]:
            self._say(_previewed(bulk.preview(found)))
            return
        _carried(bulk.ask(found, reason=options["reason"], by=by))
        self._report(found)

    def _report(self, found: StagedBulk) -> None:
        told = bulk.counts(found)
        left = found.items.filter(state=BulkState.LEFT).select_related("document")[:PROBLEMS_SHOWN]
        problems = [{"id": item.document.public_id, "code": item.code, "problem": item.problem} for item in left]
        self._say({"id": found.public_id, "total": found.total, **told, "problems": problems, "problem": found.problem})
        if told[BulkState.LEFT] or found.problem:
            raise CommandError(f"{told[BulkState.LEFT]} of {found.total} were left as they are; the first are listed.")

    def _say(self, document: dict[str, Any]) -> None:
        self.stdout.write(jsontext.dumps(document))


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--batch", default="", help="of this staged import")
    parser.add_argument("--flow", default="")
    parser.add_argument("--system", default="")
    parser.add_argument("--status", default="", choices=["", *StagedStatus.values])
    parser.add_argument("--verdict", default="", help="of the last comparison; none: not compared")
    parser.add_argument("--gate", default="", help="by_hand, waiting, shut or open")


def _narrowed(options: dict[str, Any]) -> QuerySet[StagedDocument]:
    asked = {name: options[name] for name in NAMES if options.get(name)}
    found = StagedFilter(asked, queryset=StagedDocument.objects.order_by("pk"))
    if not found.is_valid():
        raise CommandError(f"A filter cannot be read: {json.dumps(found.errors)}")
    rows: QuerySet[StagedDocument] = found.qs
    return rows.filter(public_id__in=options["ids"]) if options.get("ids") else rows


def _listed(rows: QuerySet[StagedDocument]) -> dict[str, Any]:
    names = (
        "public_id",
        "flow",
        "system",
        "reference",
        "status",
        "verdict",
        "gate_state",
        "batch",
        "amount",
        "currency",
    )
    return {"count": rows.count(), "documents": list(rows.values(*names)[:1000])}


def _previewed(found: bulk.Preview) -> dict[str, Any]:
    return {
        "dry_run": True, "total": found.total, "looked_at": found.looked_at, "allowed": found.allowed, "refused": found.refused,
        "amounts": {code: (exact(value, code) or {}).get("amount") for code, value in found.amounts.items()}, "verdicts": dict(found.verdicts), "refusals": dict(found.refusals),
    }  # fmt: skip


def _carried(found: StagedBulk) -> None:
    """Until it ends, whoever carries it; promotions make room for the next ones as they are written."""
    with tqdm(total=found.total, file=sys.stderr, desc=found.action, mininterval=2) as bar:
        while not bulk.carry(found).ended_at:
            bar.update(found.total - bulk.counts(found)[BulkState.WAITING] - bar.n)
            if not engine.work():
                time.sleep(0.2)
            found.refresh_from_db()
