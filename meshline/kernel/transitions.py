"""The only writer of a status: lock, compare, save, history, audit, in one transaction.

A machine says which status may follow which. Historic models go through `move`; models whose trail is the lineage may use `move_many`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, transaction

from meshline.kernel import bulk_rows
from meshline.kernel.actors import Actor
from meshline.kernel.errors import Conflict, Missing

Recorder = Callable[..., None]
_recorders: list[Recorder] = []


@dataclass(frozen=True)
class Machine:
    """`arrows`: status to the statuses that may follow it. `status_field`: the model's field."""

    name: str
    arrows: Mapping[str, Collection[str]]
    status_field: str = "status"
    acts: Mapping[str, str] = field(default_factory=dict)

    def check(self, *, found: str, to: str, ident: str) -> None:
        if to not in self.arrows.get(found, ()):
            legal = ", ".join(sorted(self.arrows.get(found, ()))) or "nothing"
            raise Conflict(
                f"{ident} is {found}; it cannot become {to}. From here it can become: {legal}.",
                code="illegal_transition",
            )


def record_with(recorder: Recorder) -> None:
    """Register who writes the audit row of a move (the audit app does, at start)."""
    _recorders.append(recorder)


def move(
    model: type[models.Model],
    pk: Any,
    *,
    machine: Machine,
    expected: str | Collection[str],
    to: str,
    by: Actor,
    reason: str = "",
    **values: Any,
) -> Any:
    """Move one row to status `to`, setting `values` with it.

    Raises Missing where there is no such row, Conflict where its status is not `expected` or the machine has no such arrow.
    Locks: the row. Returns the saved row.
    """
    wanted = {expected} if isinstance(expected, str) else set(expected)
    with transaction.atomic():
        row = model._default_manager.select_for_update(of=("self",)).filter(pk=pk).first()
        if row is None:
            raise Missing(f"There is no {model._meta.verbose_name} {pk}.")
        found = getattr(row, machine.status_field)
        _compare(row, found=found, wanted=wanted, to=to)
        machine.check(found=found, to=to, ident=_name(row))
        for name, value in {**values, machine.status_field: to}.items():
            setattr(row, name, value)
        _save(row, by=by, reason=reason)
        for recorder in _recorders:
            recorder(row=row, machine=machine, found=found, to=to, by=by, reason=reason)
    return row


def move_many(
    queryset: models.QuerySet[Any], *, machine: Machine, expected: Collection[str], to: str, **values: Any
) -> int:
    """Move the rows whose status is one of `expected`, in one statement; the count says how many it won.

    Only for models without history whose trail is written by the caller in the same transaction (runs and their lineage).
    """
    for found in expected:
        machine.check(found=found, to=to, ident=machine.name)
    return queryset.filter(**{f"{machine.status_field}__in": list(expected)}).update(
        **{machine.status_field: to}, **values
    )


def move_each(rows: Collection[Any], *, machine: Machine, to: Callable[[Any], str], fields: Collection[str]) -> None:
    """Move rows that the caller holds locked, each to its own status, saving `fields` with it, in one statement.

    As `move_many`, only for models whose trail the caller writes in the same transaction. Raises Conflict before anything is saved.
    """
    for row in rows:
        machine.check(found=getattr(row, machine.status_field), to=to(row), ident=_name(row))
    for row in rows:
        setattr(row, machine.status_field, to(row))
    bulk_rows.update(list(rows), [machine.status_field, *fields])


def sign(row: Any, *, by: Actor, reason: str) -> None:
    """Say who makes the next history row of this record, and why (the names are django-simple-history's). Does not save."""
    if hasattr(row, "history"):
        row._change_reason = (reason or str(by))[:100]
        row._history_user = get_user_model()(pk=by.user_id) if by.user_id else None


def _compare(row: models.Model, *, found: str, wanted: set[str], to: str) -> None:
    if found not in wanted:
        raise Conflict(
            f"{_name(row)} is {found} by now, not {' or '.join(sorted(wanted))}: somebody or something was first. Reload and look again.",
            code="status_changed",
            context={"found": found, "wanted": sorted(wanted), "to": to},
        )


def _save(row: Any, *, by: Actor, reason: str) -> None:
    sign(row, by=by, reason=reason)
    row.save()


def _name(row: Any) -> str:
    return str(getattr(row, "public_id", None) or f"{row._meta.verbose_name} {row.pk}")
