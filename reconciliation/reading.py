"""A flow's reconcile rule, compiled: what it reads of our records and of their documents. Touches neither database nor network."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from meshline.kernel import fingerprint, money
from meshline.kernel.errors import Invalid, MeshlineError
from meshline.kernel.expressions import Scope, compiled
from reconciliation.compare import FieldRule, OurRecord, TheirItem, Unreadable
from syncflows.engine.models import CanonicalRecord
from syncflows.governance.schemas.base import ENGINE_FUNCTIONS
from syncflows.governance.schemas.flows import ReconcileRule

# Names under which systems give a document its own id. Our reference (`external_id` at most of them) is not among them.
KEY_LENGTH = 200
OWN_IDS = ("number", "id", "code", "name")


class Reader:
    """One per comparison and thread; `unreadable` says of how many documents there something could not be read, and `example` why."""

    def __init__(self, rule: ReconcileRule, *, canonical: str) -> None:
        self.rule = rule
        self.rules = [
            FieldRule(item.name, Decimal(item.tolerance) if item.tolerance is not None else None)
            for item in rule.fields
        ]
        self.unreadable = 0
        self.example = ""
        self._canonical = canonical
        self._ours, self._theirs = Scope({}), Scope({})

    def our_record(self, record: CanonicalRecord) -> OurRecord:
        """Raises Invalid where our reference cannot be worked out."""
        self._ours.put(self._canonical, record.document)
        try:
            key = text(_ask(self.rule.ours, self._ours))
        except MeshlineError as error:
            raise Invalid(
                f"Our reference of {self._canonical} {record.key} is unknown: {error.message}. Correct reconcile.ours.",
                code="reference_missing",
            ) from error
        fields = {item.name: _value(item.ours, self._ours) for item in self.rule.fields}
        return OurRecord(key, fields, _plain(record.amount, record.currency), record.currency, record.pk)

    def their_item(self, item: Mapping[str, Any]) -> TheirItem | None:
        """None where the rule's `only` leaves it out."""
        return None if self._is_left_out(item) else self.any_item(item)

    def any_item(self, item: Mapping[str, Any]) -> TheirItem:
        """Whatever `only` says."""
        self._theirs.put("item", item)
        key = _value(self.rule.key, self._theirs)
        fields = {found.name: _value(found.theirs, self._theirs) for found in self.rule.fields}
        self._note(next((value for value in (key, *fields.values()) if isinstance(value, Unreadable)), None))
        amount, currency = self._money()
        identity = tuple(f"{name}={item[name]}" for name in OWN_IDS if _is_id(item.get(name)))
        return TheirItem(
            "" if isinstance(key, Unreadable) else text(key),
            own_id(item),
            fields,
            amount,
            currency,
            dict(item),
            identity,
        )

    def check(self, listed: int) -> None:
        """Raises Invalid where most of what was listed cannot be read: then the rule or the system has changed, not the records."""
        if self.unreadable > 3 and self.unreadable * 2 > listed:
            raise Invalid(
                f"{self.unreadable} of {listed} documents of {self.rule.system} cannot be read: {self.example}. Its answers have changed, or the flow's reconcile "
                "rule is wrong. Nothing was judged; correct the rule and compare again.",
                code="target_unreadable",
            )

    def _is_left_out(self, item: Mapping[str, Any]) -> bool:
        """What cannot be asked is looked at: leaving a document out needs a reason."""
        if self.rule.only is None:
            return False
        self._theirs.put("item", item)
        return _value(self.rule.only, self._theirs) is False

    def _money(self) -> tuple[Decimal | None, str]:
        amount = _value(self.rule.amount, self._theirs) if self.rule.amount else None
        currency = _value(self.rule.currency, self._theirs) if self.rule.currency else ""
        try:
            exact = money.decimal(amount) if amount is not None and not isinstance(amount, Unreadable) else None
        except money.BadAmount:
            exact = None
        return exact, "" if isinstance(currency, Unreadable) else text(currency)[:3]

    def _note(self, problem: Unreadable | None) -> None:
        if problem is not None:
            self.unreadable += 1
            self.example = self.example or problem.why


def own_id(item: Mapping[str, Any]) -> str:
    """What the system calls this document; a fingerprint where it has no name for it."""
    found = next((str(item[name]).strip() for name in OWN_IDS if _is_id(item.get(name))), "")
    return text(found) or f"document {fingerprint.short(dict(item), length=12)}"


def text(value: Any) -> str:
    """A key or code as it can be stored."""
    return "" if value is None else str(value).replace("\0", "\ufffd").strip()[:KEY_LENGTH]


def _plain(amount: Decimal | None, currency: str) -> Decimal | None:
    """Without the zeros that the database's column adds, and nothing rounded away."""
    if amount is None:
        return None
    rounded = round(amount, money.places(currency))
    return rounded if rounded == amount else amount.normalize()


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())


def _ask(source: str, scope: Scope) -> Any:
    return compiled(source, extra=ENGINE_FUNCTIONS).evaluate(scope)


def _value(source: str, scope: Scope) -> Any:
    try:
        return _ask(source, scope)
    except MeshlineError as error:
        return Unreadable(error.message)
