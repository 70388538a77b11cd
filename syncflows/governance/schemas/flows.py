"""Contracts, mappings, policies and flows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import Field, StringConstraints, field_validator, model_validator

from syncflows.enums import ExceptionClass, Verdict
from syncflows.governance.schemas.base import Amount, Cel, Duration, Identifier, Name, Strict, Template, read_by
from syncflows.governance.schemas.retries import RetryChange


class Read(Strict):
    """How a field's text becomes a value. Empty text is null. `formats` as strptime, tried in order; dates become 2026-11-30."""

    type: Literal["text", "decimal", "integer", "date", "datetime", "boolean"] = "text"
    formats: list[str] = []
    required: bool = False


class Csv(Strict):
    """Which file this contract reads: one whose header has these columns."""

    columns: list[str] = Field(min_length=1)
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","


class Contract(Strict):
    """What an event must look like. Expressions read payload (after `read`); `schema` is JSON Schema 2020-12 over the same."""

    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
    system: Name
    types: list[str] = Field(min_length=1, description="event types, exactly as they arrive")
    object: Identifier
    csv: Csv | None = None
    read: dict[str, Read | Literal["text", "decimal", "integer", "date", "datetime", "boolean"]] = {}
    key: Cel
    event_id: Cel | None = Field(
        default=None, description="where the source sends none; default: a fingerprint of the payload as read"
    )
    sequence: Cel | None = Field(
        default=None, description="orders the events of one key; default: what the envelope says, then arrival"
    )
    sequence_type: Literal["text", "integer", "time"] = Field(
        default="text",
        description="how sequences compare: as text, as whole numbers (10 after 9), or as moments whatever their zone",
    )
    occurred_at: Cel | None = None
    schema_: dict[str, Any] = Field(alias="schema")

    @field_validator("schema_")
    @classmethod
    def _schema_compiles(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            jsonschema_rs.Draft202012Validator(value)
        except Exception as error:
            raise ValueError(f"is not a JSON Schema (2020-12): {str(error).splitlines()[0]}") from error
        return value

    def reads(self) -> dict[str, Read]:
        return {name: rule if isinstance(rule, Read) else Read(type=rule) for name, rule in self.read.items()}


class Mapping(Strict):
    """From a payload to a canonical object. `let` names intermediate values in order; `fields` is the object. Expressions read payload, the let-names,
    and, in what follows `fields`, the object under its own name (order.total). lookup('product', name) gives {key, document, ids} of another canonical record."""

    contract: Name
    object: Identifier
    let: dict[Identifier, Cel] = Field(
        default={}, description="intermediate values; one may read another, whatever the order they are written in"
    )
    fields: dict[str, Template]
    amount: Cel | None = None
    currency: Cel | None = None
    customer: Cel | None = Field(default=None, description="the customer's name, for people")
    business_date: Cel | None = None
    requester: Cel | None = Field(default=None, description="who asked, as the source names them; may not approve")
    identifiers: dict[str, list[Cel]] = Field(
        default={}, description="system name to the names under which it knows this record"
    )

    @field_validator("let")
    @classmethod
    def _in_order_of_need(cls, value: dict[str, str]) -> dict[str, str]:
        """A let-name comes after those it reads: the store does not keep the order of keys."""
        ordered: dict[str, str] = {}
        while len(ordered) < len(value):
            ready = [
                name for name in value if name not in ordered and not (read_by(value[name]) & set(value)) - set(ordered)
            ]
            if not ready:
                raise ValueError(
                    f"{', '.join(name for name in value if name not in ordered)} read each other in a circle, so none can be worked out first"
                )
            ordered |= {name: value[name] for name in ready}
        return ordered


class PolicyRule(Strict):
    """One question to a record. `when` true gives the verdict. Reads the canonical object, payload and the mapping's let-names."""

    name: Name
    when: Cel
    verdict: Literal["needs_approval", "hold", "refuse"]
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=60)]
    message: Cel
    remedy: str = ""
    exception_class: ExceptionClass = ExceptionClass.POLICY
    inputs: dict[str, Cel] = Field(default={}, description="what the verdict rests on, for the lineage")
    binds: dict[str, Cel] = Field(
        default={}, description="what a decision is bound to; default: the whole canonical object"
    )
    approvers: Name | None = Field(default=None, description="team that decides, for needs_approval")
    decide_within: Duration = "1d"

    @model_validator(mode="after")
    def _somebody_approves(self) -> PolicyRule:
        if self.verdict == Verdict.NEEDS_APPROVAL and not self.approvers:
            raise ValueError("needs_approval takes `approvers`, the name of the team that decides")
        return self


class Policy(Strict):
    object: Identifier
    rules: list[PolicyRule] = Field(min_length=1)


class IgnoreRule(Strict):
    """An event that needs nothing done. Reads payload."""

    when: Cel
    reason: Cel


class Trigger(Strict):
    contract: Name
    ignore: list[IgnoreRule] = []


class Undo(Strict):
    """How what a step wrote is taken back. Expressions read the canonical object, payload, and steps['this-or-an-earlier-step'].external_id / .answer."""

    operation: str = Field(description="of the step's system; it declares `undoes`")
    when: Cel | None = Field(default=None, description="left as it is unless true")
    reference: Cel | None = Field(default=None, description="default: the step's own")
    document: Template = {}


class Step(Strict):
    """One outside write. `reference` is our key in the far side's document; `document` its body. Expressions read the canonical object, payload, let-names
    and steps['earlier-step'].external_id / .answer."""

    name: Name
    system: Name
    operation: str
    when: Cel | None = Field(default=None, description="skipped unless true")
    reference: Cel
    look_first: bool = Field(
        default=False,
        description="look the reference up before the first write, and take over a document that is there from before",
    )
    document: Template
    on_change: Literal["update", "duplicate", "ignore"] = Field(
        default="duplicate", description="a different document for a reference that is written already"
    )
    update: str = Field(default="", description="operation for on_change: update")
    commit: Literal["direct", "soft"] | None = Field(
        default=None, description="soft: staged in the soft ledger instead of written; default: as the flow says"
    )
    retry: RetryChange | None = Field(
        default=None, description="where it differs from the operation's and the System's"
    )
    skippable: bool = Field(
        default=False,
        description="whether a person may go on without it where it failed; the flow's owner answers for that",
    )
    required: bool = Field(
        default=True, description="false: where it fails, the run goes on without it and a ticket tells"
    )
    main: bool = Field(default=False, description="its document is the record's own; default: the first step's")
    stays: bool = Field(
        default=False, description="what it writes may stay when the run is taken back, so it needs no undo"
    )
    undo: Undo | None = Field(default=None, description="how it is taken back when the run cannot be finished")


class CompareField(Strict):
    """`ours` reads the canonical object, `theirs` reads item. `tolerance` for amounts; without it the texts must be equal."""

    name: str
    ours: Cel
    theirs: Cel
    tolerance: Amount | None = None


class ReconcileRule(Strict):
    """How the nightly comparison reads the target. `key` reads item; `date` the item's business date (ISO)."""

    system: Name
    operation: str
    key: Cel
    ours: Cel = Field(description="our reference, reads the canonical object")
    fields: list[CompareField] = Field(min_length=1)
    only: Cel | None = Field(default=None, description="items to look at, reads item")
    amount: Cel | None = Field(default=None, description="the item's amount, for totals and for what is at stake")
    currency: Cel | None = None
    window_days: int = Field(default=30, ge=1, le=36500)


class ReconciledGate(Strict):
    """Holds while the last comparison with the target says one of `expect` and is not older than `within`."""

    expect: list[Literal["missing", "matched"]] = Field(default=["missing", "matched"], min_length=1)
    within: Duration = Field(default="1d", description="a comparison older than this is made again")


class ApprovedGate(Strict):
    """Holds when a member of `team` has approved exactly this document; never who imported, asked for or corrected it."""

    team: Name


class Promotion(Strict):
    """When a staged document is promoted by itself. Several gates: `all` of them must hold, or `any` one."""

    match: Literal["all", "any"] = "all"
    reconciled: ReconciledGate | None = None
    approved: ApprovedGate | None = None
    age: Duration | None = Field(default=None, description="staged at least so long")
    imports: bool = Field(default=False, description="whether the gates also promote documents of staged imports")

    @model_validator(mode="after")
    def _has_a_gate(self) -> Promotion:
        if not (self.reconciled or self.approved or self.age):
            raise ValueError(
                "names no gate: give `reconciled`, `approved` or `age`, or leave `promotion` out to promote by hand"
            )
        return self


class Flow(Strict):
    """One trigger-to-outcome definition."""

    live: bool = True
    priority: int = Field(
        default=100,
        ge=0,
        le=1000,
        description="impact: each 100 points lower double the flow's share of what is carried",
    )
    deliver_within: Duration | None = Field(
        default=None,
        description="from arrival to outcome; retries end, and a ticket opens, before a run would be late",
    )
    trigger: Trigger
    mapping: Name
    policies: list[Name] = []
    steps: list[Step] = []
    on_partial: Literal["park", "compensate"] = Field(
        default="park",
        description="when a later step fails for good: wait for a person, or take back what was written, last first",
    )
    reconcile: ReconcileRule | None = None
    commit: Literal["direct", "soft"] = Field(
        default="direct", description="soft: documents are staged in the soft ledger until they are promoted"
    )
    promotion: Promotion | None = Field(default=None, description="gates that promote staged documents by themselves")
