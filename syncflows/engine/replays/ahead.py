"""Look ahead: what a replay would do to each of some runs, as things stand. Writes nothing, here or outside; with `looks` it asks the targets."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshline.kernel import fingerprint, jsontext
from meshline.kernel.errors import MeshlineError
from syncflows.connectors.protocol import Answer
from syncflows.engine import contracts, loading, ordering, runs, stages, taking_back, undos
from syncflows.engine.adoption import owners_of, spec_of
from syncflows.engine.carry import Carry, Rest
from syncflows.engine.crosswalk import Lookups
from syncflows.engine.differences import payload_diff
from syncflows.engine.enums import RunStatus, StepStatus
from syncflows.engine.models import Run, Step
from syncflows.engine.replays import comparing, corrections, effects, targets, versions
from syncflows.engine.replays.effects import Does, Effect
from syncflows.engine.replays.enums import ReplayVerdict, Versions
from syncflows.engine.replays.targets import Held, Question
from syncflows.governance.catalog import Catalog

TEXT_MAX = 100_000
RESTS = {
    RunStatus.HELD: ReplayVerdict.HELD,
    RunStatus.IGNORED: ReplayVerdict.NOTHING,
    RunStatus.FAILED: ReplayVerdict.FAIL,
    RunStatus.ERRORED: ReplayVerdict.FAIL,
}
BY_EFFECT = (
    (Does.FAIL, ReplayVerdict.FAIL),
    (Does.WAIT, ReplayVerdict.HELD),
    (Does.CREATE, ReplayVerdict.CREATE),
    (Does.UPDATE, ReplayVerdict.UPDATE),
)


@dataclass(frozen=True)
class Asked:
    """How to replay: which versions, from which step (empty: the start), with which correction of the payload."""

    versions: str = Versions.CURRENT
    from_step: str = ""
    correction: Mapping[str, Any] | None = None


@dataclass
class Forecast:
    """What would become of one run. `payload` the corrected one, None where it stays; `pins` the versions to use, None for those in force."""

    run: Run
    verdict: ReplayVerdict = ReplayVerdict.NOTHING
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    canonical: Any = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    fingerprint: str = ""
    payload: dict[str, Any] | None = None
    pins: dict[str, Any] | None = None
    carry: Carry | None = None
    effects: list[Effect] = field(default_factory=list)

    def refuse(self, error: MeshlineError) -> None:
        self.verdict, self.reason = ReplayVerdict.REFUSED, error.message
        self.detail |= {"code": error.code, **{k: v for k, v in error.context.items() if k == "newer_run"}}


def forecast(found: Collection[Run], asked: Asked, *, catalog: Catalog, looks: bool = False) -> dict[int, Forecast]:
    """One forecast for each run (with its event), by row number. A few queries, whatever their number; one look-up a planned document with `looks`."""
    seen = {run.pk: Forecast(run) for run in found}
    own = _own_steps(seen)
    then = versions.of_runs(found) if asked.versions == Versions.THEN else {}
    lookups = Lookups(catalog)
    for one in seen.values():
        try:
            own[one.run.pk] = _forward(one.run, own[one.run.pk])
            _prepare(one, asked, then.get(one.run.pk), own[one.run.pk], catalog, lookups)
        except MeshlineError as error:
            one.refuse(error)
    owners = owners_of([one.carry for one in seen.values() if one.carry])
    for one in seen.values():
        _judge(one, own[one.run.pk], owners)
    _refuse_going_back(seen)
    if looks:
        _look(list(seen.values()), catalog)
    return seen


def _own_steps(seen: Mapping[int, Forecast]) -> dict[int, list[Step]]:
    found: dict[int, list[Step]] = defaultdict(list)
    for step in Step.objects.filter(run__in=list(seen)).order_by("run", "index"):
        found[step.run_id].append(step)
    return found


def _forward(run: Run, own: Sequence[Step]) -> list[Step]:
    """The steps that a replay would find: what was taken back is put behind. Raises Conflict while the outcome of an undo is not known."""
    if run.compensation is not None:
        taking_back.check_undos_are_known(own)
    return [step for step in undos.forward(own) if run.compensation is None or step.status != StepStatus.COMPENSATED]


def _prepare(
    one: Forecast, asked: Asked, then: versions.Then | None, own: Sequence[Step], catalog: Catalog, lookups: Lookups
) -> None:
    """Carry a copy of the run through the pure stages. Raises MeshlineError where it cannot be replayed at all."""
    runs.check_replayable(one.run)
    run = copy.copy(one.run)
    run.compensation = None  # a replay starts over
    index = runs.check_step(run, asked.from_step, own)
    if then is not None:
        if then.pins is None:
            raise MeshlineError(then.problem, code="version_gone")
        one.pins = then.pins
        one.detail |= {"versions": then.pins["labels"], **({"assumed": list(then.assumed)} if then.assumed else {})}
    run.replay = {"versions": one.pins, "from_index": index}
    _correct(one, run, asked)
    carry = one.carry = loading.carry_of(run, catalog)
    if one.payload is not None:
        _check_key(carry)
    stages.prepare(carry, newest=None, lookups=lookups)
    one.canonical = carry.document or None


def _correct(one: Forecast, run: Run, asked: Asked) -> None:
    if asked.correction and (one.run.replay or {}).get("correction") == asked.correction.get("of"):
        return  # corrected by an earlier try of the same replay
    before = run.current_payload
    after = corrections.corrected(before, asked.correction)
    if after == before:
        return
    one.payload = run.payload = jsontext.parse(jsontext.dumps(jsontext.storable(after)))
    run.clearances = []
    one.detail["corrected"] = payload_diff(before, one.payload)[: comparing.ROWS_MAX]


def _check_key(carry: Carry) -> None:
    """A correction mends a record; it does not make another one of it."""
    if carry.broken:
        return
    try:
        key = contracts.identify(carry.contract, contracts.read(carry.contract, carry.run.payload or {})).key
    except MeshlineError:
        return  # the contract stage says why
    if key != carry.run.canonical_key:
        raise MeshlineError(
            f"The correction would turn {carry.run.canonical_key} into {key}. Leave the fields of the key as they are, or send {key} as an event of its own.",
            code="correction_changes_key",
        )


def _judge(one: Forecast, own: Sequence[Step], owners: Mapping[str, Step]) -> None:
    carry = one.carry
    if carry is None or one.verdict == ReplayVerdict.REFUSED:
        return
    if carry.rest is not None:
        _from_rest(one, carry.rest)
        one.fingerprint = fingerprint.of([one.canonical, carry.rest.status])
        return
    planned = [
        [step.name, step.system, step.operation, step.reference, step.document_fingerprint] for step in carry.steps
    ]
    try:
        one.effects = effects.of_plan(carry, own={step.index: step for step in own}, owners=owners)
    except MeshlineError as error:
        one.verdict, one.reason, one.detail["code"] = ReplayVerdict.FAIL, error.message, error.code
        return
    does = [Does.CREATE if effect.does == Does.WAIT else effect.does for effect in one.effects]
    one.fingerprint = fingerprint.of([one.canonical, planned, does])
    _from_effects(one)
    one.steps = [_shown(effect) for effect in one.effects]


def _from_rest(one: Forecast, rest: Rest) -> None:
    one.verdict, one.reason = RESTS[rest.status], rest.reason
    if rest.failure is not None:
        one.detail |= {
            "class": rest.failure.exception_class.value,
            "reason": rest.failure.reason,
            "remedy": rest.failure.remedy,
        }
    if rest.hold_reason:
        one.detail["hold_reason"] = rest.hold_reason.value


def _from_effects(one: Forecast) -> None:
    for does, verdict in BY_EFFECT:
        found = [effect for effect in one.effects if effect.does == does]
        if found:
            told = found if does == Does.FAIL else [effect for effect in one.effects if effect.does != Does.NOTHING]
            one.verdict, one.reason = verdict, "; ".join(f"{effect.step.name}: {effect.reason}" for effect in told)
            one.detail |= found[0].failure
            return
    one.reason = (
        "; ".join(f"{effect.step.name}: {effect.reason}" for effect in one.effects)
        or "The record is known; no outside step"
    )


def _refuse_going_back(seen: Mapping[int, Forecast]) -> None:
    """Last, so that what would be overwritten can be shown."""
    newer = ordering.newer_runs([one.run for one in seen.values()])
    for pk, run in newer.items():
        one = seen[pk]
        one.refuse(runs.going_back(one.run, run))
        one.detail["overwrites"] = payload_diff(run.canonical, one.canonical)[: comparing.ROWS_MAX]


def _shown(effect: Effect) -> dict[str, Any]:
    step = effect.step
    return {
        "name": step.name, "system": step.system, "operation": step.operation, "does": effect.does.value, "reason": effect.reason, "reference": step.reference,
        "external_id": effect.external_id, "late": effect.late, "document": _bounded(step.document), "asked": False, "problem": "", "difference": [], "same": 0, "more": 0,
    }  # fmt: skip


def _bounded(document: Any) -> Any:
    size = len(jsontext.dumps(document))
    return document if size <= TEXT_MAX else {"(too long to be kept)": f"{size:,} characters"}


def _look(seen: Sequence[Forecast], catalog: Catalog) -> None:
    questions = {
        (one.run.pk, place): Question(
            effect.step.system, spec_of(one.carry, effect.step).operation, effect.step.reference
        )
        for one in seen
        if one.carry
        for place, effect in enumerate(one.effects)
    }
    held = targets.look(list(questions.values()), catalog=catalog)
    for one in seen:
        for place, effect in enumerate(one.effects):
            assert one.carry is not None
            _beside(one.carry, effect, one.steps[place], held[questions[one.run.pk, place]])
        _taken_over(one)


def _beside(carry: Carry, effect: Effect, shown: dict[str, Any], held: Held) -> None:
    """Add what the target holds to what is shown of a step."""
    shown |= {"asked": not held.problem, "problem": held.problem[:2000]}
    if held.problem:
        return
    if len(held.answers) > 1:
        listed = ", ".join(answer.external_id for answer in held.answers[:5])
        shown["problem"] = (
            f"{effect.step.system} holds {len(held.answers)} documents under {effect.step.reference}: {listed}"
        )
        return
    if not held.answers:
        if effect.does in (Does.NOTHING, Does.UPDATE):
            shown["problem"] = (
                f"{effect.step.system} shows nothing under {effect.step.reference}, though {effect.external_id} was written. A replay does not write it again."
            )
        return
    shown |= {"holds": held.answers[0].external_id, **_difference(carry, effect, held.answers[0])}
    if effect.does == Does.CREATE:
        _created_beside(carry, effect, shown, held.answers[0])


def _created_beside(carry: Carry, effect: Effect, shown: dict[str, Any], answer: Answer) -> None:
    if spec_of(carry, effect.step).look_first:
        effect.does = Does.NOTHING
        shown |= {
            "does": Does.NOTHING.value,
            "reason": f"is there already as {answer.external_id}; it would be taken over, not written",
        }
        effect.reason = shown["reason"]
    else:
        shown["problem"] = (
            f"{effect.step.system} holds {answer.external_id} under {effect.step.reference} already, and this run did not write it."
        )


def _taken_over(one: Forecast) -> None:
    if one.verdict == ReplayVerdict.CREATE:
        one.verdict = ReplayVerdict.NOTHING
        _from_effects(one)


def _difference(carry: Carry, effect: Effect, answer: Answer) -> dict[str, Any]:
    theirs, rule = jsontext.mended(answer.document), carry.flow.spec.reconcile
    rows, same = comparing.rows(effect.step.document, theirs)
    shown = same + sum(row["kind"] == "changed" for row in rows)
    if not shown and rule is not None and rule.system == effect.step.system:
        rows, same = comparing.by_rules(carry, rule.fields, theirs)
    return {"difference": rows[: comparing.ROWS_MAX], "more": max(0, len(rows) - comparing.ROWS_MAX), "same": same}
