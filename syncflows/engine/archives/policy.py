"""What the Retention definition asks for now: months to archive, and archives whose files may go. Without one, nothing."""

from __future__ import annotations

import logging
from pathlib import Path

from django.db import connection

from meshline.kernel import actors, transitions
from meshline.kernel.errors import Conflict, MeshlineError
from syncflows import hooks
from syncflows.engine.archives import files, months, moving
from syncflows.engine.archives.enums import MonthStatus
from syncflows.engine.archives.models import ArchivedMonth
from syncflows.engine.archives.months import Span
from syncflows.engine.machines import MONTH
from syncflows.engine.partitions import Month
from syncflows.enums import ExceptionClass
from syncflows.governance import catalog
from syncflows.governance.enums import Kind
from syncflows.governance.schemas import Retention

log = logging.getLogger(__name__)
BY = actors.system("archive")


def in_force() -> Retention | None:
    """The one Retention definition, if there is one."""
    found = catalog.current().all(Kind.RETENTION)
    spec: Retention | None = found[0].spec if found else None
    return spec


def due(policy: Retention) -> list[Span]:
    """Live months older than the policy keeps them, oldest first."""
    away = set(ArchivedMonth.objects.exclude(status=MonthStatus.LIVE).values_list("label", flat=True))
    last = _now().number - policy.keep_months
    return [span for span in months.spans() if Month.of_key(span.past).number <= last and span.label not in away]


def carry_out() -> dict[str, list[str]]:
    """Archive what is due, delete archives that are past their time; {archived, kept, deleted}. A month that must stay says why in the log, a failure opens a ticket."""
    moving.recover(by=BY)
    policy, done = in_force(), dict[str, list[str]](archived=[], kept=[], deleted=[])
    if policy is None:
        return done
    for span in due(policy):
        try:
            moving.archive(
                span.label, folder=Path(policy.archive_to), by=BY, reason=f"older than {policy.keep_months} months"
            )
            done["archived"].append(span.label)
        except Conflict as error:
            log.info("%s", error.message)
            done["kept"].append(span.label)
        except Exception as error:
            log.exception("%s could not be archived", span.label)
            _ticket(span, error)
            break
    done["deleted"] = _delete_old(policy)
    return done


def _delete_old(policy: Retention) -> list[str]:
    if policy.keep_archives_months is None:
        return []
    last = Month(_now().number - policy.keep_archives_months).first_key
    deleted = []
    for row in ArchivedMonth.objects.filter(status=MonthStatus.ARCHIVED, past_key__lte=last):
        reason = f"archives are kept {policy.keep_archives_months} months"
        transitions.move(
            ArchivedMonth,
            row.pk,
            machine=MONTH,
            expected=MonthStatus.ARCHIVED,
            to=MonthStatus.DELETED,
            by=BY,
            reason=reason,
        )
        files.remove(Path(row.folder))
        deleted.append(row.label)
    return deleted


def _ticket(span: Span, error: Exception) -> None:
    message = error.message if isinstance(error, MeshlineError) else f"{span.label} could not be archived: {error}"
    remedy = f"Mend what the message names, then run manage.py archive --month {span.label}; the nightly job tries again too."
    failure = hooks.Failure(
        ExceptionClass.INTERNAL,
        "archive_failed",
        message[:500],
        remedy,
        system="archive",
        context={"month": span.label},
    )
    hooks.failed([failure])


def _now() -> Month:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() AT TIME ZONE 'UTC'")
        return Month.of(cursor.fetchone()[0])
