"""Ours against theirs, key by key. Pure: knows no database, no network and no definitions.

Each key is judged once: more than one document there is a duplicate, whatever else is wrong; else one side is missing; else fields differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from meshline.kernel import money
from meshline.kernel.errors import Invalid
from reconciliation.enums import DiscrepancyKind

NO_CURRENCY = "XXX"  # ISO 4217: no currency
NO_REFERENCE = "without reference"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that its expression could not give. Agrees with nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class FieldRule:
    """`tolerance`: amounts may differ by so much; None: the texts must be equal."""

    name: str
    tolerance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OurRecord:
    """`key` our reference; `fields` values by the rules' names; `row` the canonical record's row number."""

    key: str
    fields: Mapping[str, Any]
    amount: Decimal | None = None
    currency: str = ""
    row: int | None = None


@dataclass(frozen=True, slots=True)
class TheirItem:
    """`key` our reference in it (may be empty); `ident` its own id, for people; `identity` what tells it from every other, empty if nothing does."""

    key: str
    ident: str
    fields: Mapping[str, Any]
    amount: Decimal | None = None
    currency: str = ""
    item: Any = None
    identity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which both sides do not agree."""

    name: str
    ours: Any
    theirs: Any
    tolerance: Decimal | None


@dataclass
class Pair:
    """Both sides of one key. `aside`: items of this key that the rule leaves out (cancelled ones, say), for the sentence only."""

    key: str
    ours: OurRecord | None = None
    theirs: list[TheirItem] = field(default_factory=list)
    aside: list[TheirItem] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one key, with both sides."""

    kind: DiscrepancyKind
    key: str
    ours: OurRecord | None
    theirs: tuple[TheirItem, ...]
    fields: tuple[Difference, ...] = ()
    aside: tuple[TheirItem, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """`findings` by key; `matched` keys; `totals` currency to exact sums, `ours` and `theirs`."""

    findings: list[Finding]
    matched: list[str]
    totals: dict[str, dict[str, Decimal]]

    @property
    def compared(self) -> int:
        return len(self.findings) + len(self.matched)

    def count(self, kind: DiscrepancyKind) -> int:
        return sum(finding.kind == kind for finding in self.findings)


def compare(ours: Iterable[OurRecord], theirs: Iterable[TheirItem], *, rules: Sequence[FieldRule]) -> Comparison:
    """Everything at once. Raises Invalid where two of our records have one key."""
    return judge(pair_up(ours, theirs, rules=rules).values(), rules=rules)


def pair_up(ours: Iterable[OurRecord], theirs: Iterable[TheirItem], *, rules: Sequence[FieldRule]) -> dict[str, Pair]:
    """Both sides by key. Reads `theirs` once, as it comes; of a document that agrees with ours only what totals need is kept.

    A document listed twice (pages move while they are read) counts once.
    """
    pairs = _ours_by_key(ours)
    loose: dict[str, TheirItem] = {}
    for item in theirs:
        if not item.key:
            loose.setdefault(_unused(item.ident, loose, item), item)
            continue
        pair = pairs.setdefault(item.key, Pair(item.key))
        if not any(item.identity and item.identity == other.identity for other in pair.theirs):
            agrees = pair.ours is not None and not differences(pair.ours, item, rules)
            pair.theirs.append(replace(item, item=None) if agrees else item)
    for ident, item in loose.items():
        key = f"{ident} ({NO_REFERENCE})" if ident in pairs else ident
        pairs[key] = Pair(key, None, [item])
    return pairs


def judge(pairs: Iterable[Pair], *, rules: Sequence[FieldRule]) -> Comparison:
    """What is wrong, in the order of keys. A pair with neither side agrees, and is not counted."""
    findings, matched, totals = [], [], dict[str, dict[str, Decimal]]()
    for pair in sorted(pairs, key=lambda found: found.key):
        _add_up(totals, pair)
        finding = finding_of(pair, rules=rules)
        if finding is not None:
            findings.append(finding)
        elif pair.ours is not None:
            matched.append(pair.key)
    return Comparison(findings, matched, {code: totals[code] for code in sorted(totals)})


def finding_of(pair: Pair, *, rules: Sequence[FieldRule]) -> Finding | None:
    """What is wrong with one key; None where both sides agree, or neither has it."""
    theirs = tuple(sorted(pair.theirs, key=lambda item: item.ident))
    aside = tuple(pair.aside)
    if len(theirs) > 1:
        found = [one for item in theirs for one in (differences(pair.ours, item, rules) if pair.ours else ())]
        return Finding(DiscrepancyKind.DUPLICATE, pair.key, pair.ours, theirs, tuple(found), aside)
    if pair.ours is None:
        return Finding(DiscrepancyKind.MISSING_IN_SOURCE, pair.key, None, theirs, (), aside) if theirs else None
    if not theirs:
        return Finding(DiscrepancyKind.MISSING_IN_TARGET, pair.key, pair.ours, (), (), aside)
    differing = differences(pair.ours, theirs[0], rules)
    return Finding(DiscrepancyKind.DIFFERS, pair.key, pair.ours, theirs, differing, aside) if differing else None


def differences(ours: OurRecord, item: TheirItem, rules: Sequence[FieldRule]) -> tuple[Difference, ...]:
    """The fields on which they do not agree, in the order of the rules."""
    found = ((rule, ours.fields.get(rule.name), item.fields.get(rule.name)) for rule in rules)
    return tuple(
        Difference(rule.name, a, b, rule.tolerance) for rule, a, b in found if not _agree(a, b, rule.tolerance)
    )


def in_doubt(finding: Finding) -> tuple[Decimal | None, str]:
    """The money that hangs on it: the difference, the whole document where a side is missing, the surplus of a duplicate."""
    ours, theirs = finding.ours, [item for item in finding.theirs if item.amount is not None]
    if not theirs:
        return (ours.amount, ours.currency) if ours else (None, "")
    currency, total = theirs[0].currency, sum((item.amount or Decimal(0) for item in theirs), Decimal(0))
    if any(item.currency != currency for item in theirs):
        return (ours.amount, ours.currency) if ours else (theirs[0].amount, currency)
    if ours is not None and ours.amount is not None and ours.currency in (currency, ""):
        return abs(total - ours.amount), currency
    if finding.kind == DiscrepancyKind.DUPLICATE and ours is None:
        return total - (theirs[0].amount or Decimal(0)), currency
    return (ours.amount, ours.currency) if ours and ours.amount is not None else (total, currency)


def text_of(value: Any) -> str:
    """How a value is compared where no tolerance is given: nothing and empty are the same."""
    if isinstance(value, Unreadable):
        return f"unreadable: {value.why}"
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return money.text(value)
    if isinstance(value, bool | dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)


def shown(value: Any) -> Any:
    """A value as it is stored and shown: what cannot be read says why."""
    return text_of(value) if isinstance(value, Unreadable) else value


def _agree(ours: Any, theirs: Any, tolerance: Decimal | None) -> bool:
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return False
    if tolerance is None or text_of(ours) == text_of(theirs):
        return text_of(ours) == text_of(theirs)
    try:
        return abs(money.decimal(ours) - money.decimal(theirs)) <= tolerance
    except money.BadAmount:
        return False


def _ours_by_key(ours: Iterable[OurRecord]) -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    for record in ours:
        if not record.key:
            raise Invalid(
                "A record of ours has no reference: `reconcile.ours` gives an empty text. Correct it in the flow.",
                code="reference_missing",
            )
        if record.key in pairs:
            raise Invalid(
                f"Two records of ours have the reference {record.key!r}: `reconcile.ours` must tell records apart. Correct it in the flow.",
                code="reference_not_unique",
            )
        pairs[record.key] = Pair(record.key, record)
    return pairs


def _unused(ident: str, taken: Mapping[str, TheirItem], item: TheirItem) -> str:
    """The item's own id; with a number behind it where another document without reference bears the same."""
    name, number = ident, 1
    while name in taken and not (item.identity and taken[name].identity == item.identity):
        number += 1
        name = f"{ident} #{number}"
    return name


def _add_up(totals: dict[str, dict[str, Decimal]], pair: Pair) -> None:
    sides = (("ours", [pair.ours] if pair.ours else []), ("theirs", pair.theirs))
    for side, documents in sides:
        for document in documents:
            if document.amount is not None:
                sums = totals.setdefault(document.currency or NO_CURRENCY, {"ours": Decimal(0), "theirs": Decimal(0)})
                sums[side] += document.amount
