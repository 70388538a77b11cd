"""Definitions into force: new versions where content changed, and the rows that follow from them. The only writer of definitions.

All or nothing: when anything is refused, nothing is written. Leaving a definition out never deletes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from meshline.audit import ledger
from meshline.kernel import fingerprint
from meshline.kernel.actors import Actor
from meshline.kernel.errors import MeshlineError
from ownership.models import Team, User
from syncflows.governance import catalog, crosscheck, projections, signatures
from syncflows.governance.enums import Kind, VersionState
from syncflows.governance.models import Definition, DefinitionVersion
from syncflows.governance.problems import Problem, path_text
from syncflows.governance.universe import Finding, Subject, Universe
from syncflows.governance.validation import Loaded

APPLY_LOCK = 0x6D65736B  # advisory lock: one apply at a time, so that each is checked against what the one before left
IN_FORCE = "(in force)"


@dataclass
class Summary:
    """Idents (Kind/name) by what became of them. `problems` say why for `refused`; with any of them nothing was written."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Change:
    """`version` in force now, None for a new definition."""

    loaded: Loaded
    fingerprint: str
    version: DefinitionVersion | None

    @property
    def is_change(self) -> bool:
        return self.version is None or self.version.fingerprint != self.fingerprint


@transaction.atomic
def apply(documents: Sequence[Loaded], *, by: Actor, signed_by: Sequence[str] = (), dry_run: bool = False) -> Summary:
    """Put definitions into force; with `dry_run` only find out what that would do.

    Refusals are in the summary, not raised: broken references, unsafe writes, an author who may not, a signature that does not count.
    Idempotent: on content; the same documents again change nothing. Locks: applies queue behind each other until their transactions end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [APPLY_LOCK])
    changes = _compare(documents)
    findings = crosscheck.check(_universe(documents))
    summary = Summary(warnings=[_problem(found, documents) for found in findings if found.is_warning])
    problems = [_problem(found, documents) for found in findings if not found.is_warning]
    problems += _not_allowed([change.loaded for change in changes if change.is_change], by=by, signed_by=signed_by)
    savepoint = transaction.savepoint()
    if not problems:
        problems = _write(changes, summary, by=by, signed_by=list(signed_by))
    if problems or dry_run:
        transaction.savepoint_rollback(savepoint)
    return _refusal(problems, warnings=summary.warnings) if problems else summary


def _compare(documents: Iterable[Loaded]) -> list[_Change]:
    active = {(row.kind, row.name): row.active for row in Definition.objects.select_related("active")}
    return [_Change(found, fingerprint.of(found.document), active.get((found.kind, found.name))) for found in documents]


def _universe(documents: Iterable[Loaded]) -> Universe:
    """What would be in force: these documents over the active ones."""
    now = catalog.current()
    subjects = {
        (kind, row.name): Subject(Kind(kind), row.name, row.spec, _labels(row.id))
        for kind, rows in now.by_kind.items()
        for row in rows.values()
    }
    subjects |= {
        (str(found.kind), found.name): Subject(found.kind, found.name, found.spec, found.metadata.labels)
        for found in documents
    }
    people = User.objects.filter(is_active=True).values_list("username", flat=True)
    return Universe.of(subjects.values(), usernames=people, teams=Team.objects.values_list("name", flat=True))


def _labels(version_id: int) -> dict[str, str]:
    metadata = DefinitionVersion.objects.values_list("document__metadata", flat=True).get(pk=version_id)
    return dict(metadata.get("labels") or {})


def _problem(finding: Finding, documents: Iterable[Loaded]) -> Problem:
    subject = finding.subject
    loaded = next((found for found in documents if found.ident == subject.ident), None)
    if loaded:
        return loaded.problem(finding.path, finding.message, finding.remedy)
    return Problem(
        IN_FORCE, 0, f"{subject.ident} {path_text(finding.path)}", finding.message, finding.remedy, subject.ident
    )


def _not_allowed(changed: Sequence[Loaded], *, by: Actor, signed_by: Sequence[str]) -> list[Problem]:
    """Why this author or these signers do not count, said of each definition that would change."""
    try:
        if changed:
            signatures.check_author(by, changed)
        signatures.check_signers(signed_by, by=by)
    except MeshlineError as error:
        return [found.problem((), error.message, "") for found in changed] or [Problem("", 0, "", error.message, "")]
    return []


def _write(changes: Sequence[_Change], summary: Summary, *, by: Actor, signed_by: list[str]) -> list[Problem]:
    for change in changes:
        what = summary.unchanged if not change.is_change else summary.updated if change.version else summary.created
        what.append(change.loaded.ident)
        if change.is_change:
            _new_version(change, by=by, signed_by=signed_by)
    return _project(changes, by=by)


def _new_version(change: _Change, *, by: Actor, signed_by: list[str]) -> None:
    found = change.loaded
    definition, _ = Definition.objects.select_for_update().get_or_create(kind=found.kind, name=found.name)
    last = definition.versions.order_by("-number").first()
    definition.versions.filter(state=VersionState.ACTIVE).update(state=VersionState.RETIRED)
    definition.active = DefinitionVersion.objects.create(
        definition=definition,
        number=last.number + 1 if last else 1,
        document=found.document,
        fingerprint=change.fingerprint,
        source=found.file[-300:],
        created_by=str(by)[:200],
        signed_by=signed_by,
    )
    definition.save(update_fields=["active"])
    detail = {
        "number": definition.active.number,
        "fingerprint": change.fingerprint,
        "source": found.file,
        "signed_by": signed_by,
    }
    ledger.append(act="definition.applied", by=by, object_kind="definition", object_id=found.ident[:80], detail=detail)


def _project(changes: Sequence[_Change], *, by: Actor) -> list[Problem]:
    problems = []
    for kind in projections.ORDER:
        for change in changes:
            found = change.loaded
            if found.kind == kind and (change.is_change or not projections.exists(kind, found.name)):
                try:
                    projections.project(kind, found.metadata, found.spec, by=by)
                except MeshlineError as error:
                    problems.append(found.problem(("metadata", "name"), error.message, ""))
    return problems


def _refusal(problems: Sequence[Problem], *, warnings: list[Problem]) -> Summary:
    refused = sorted({problem.ident for problem in problems if problem.ident})
    return Summary(refused=refused, warnings=warnings, problems=sorted(set(problems)))
