"""Staged documents beside what the target holds, by the flow's reconcile rule. Reads both sides; writes nothing. Registered with `syncflows.hooks`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from meshline.kernel.errors import Invalid
from reconciliation import compare, our_side, their_side
from reconciliation.compare import Finding, OurRecord, Pair, TheirItem
from reconciliation.enums import DiscrepancyKind
from reconciliation.our_side import Subject
from reconciliation.reading import Reader
from syncflows.engine.enums import StagedVerdict
from syncflows.engine.models import CanonicalRecord
from syncflows.governance import catalog
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind
from syncflows.hooks import Seen, StagedRecord

LISTED_FROM = 50  # from so many on, the target's list is read; fewer are looked up one by one
VERDICTS = {
    DiscrepancyKind.MISSING_IN_TARGET: StagedVerdict.MISSING,
    DiscrepancyKind.DIFFERS: StagedVerdict.DIFFERS,
    DiscrepancyKind.DUPLICATE: StagedVerdict.DUPLICATE,
}


def see(flow: str, records: list[StagedRecord]) -> dict[str, Seen]:
    """What the target holds for each record that the flow's rule covers, by ident; others are left out.

    A document counts as missing only after a look-up of its reference, where the target has one. Raises ConnectorError, Conflict (paused), Invalid.
    """
    definitions = catalog.current()
    if not _has_rule(definitions, flow):
        return {}
    about = our_side.subject(definitions, flow)
    reader = about.reader()
    ours: dict[str, tuple[StagedRecord, OurRecord]] = {}
    seen: dict[str, Seen] = {}
    for record in records:
        found = _ours(about, reader, record)
        if found is None:
            continue
        if found.key in ours:
            seen[record.ident] = Seen(StagedVerdict.DUPLICATE, [_twice(ours[found.key][0])])
        else:
            ours[found.key] = (record, found)
    return seen | _compared(about, reader, ours)


def _has_rule(definitions: Catalog, flow: str) -> bool:
    found = definitions.by_kind.get(Kind.FLOW, {}).get(flow)
    return found is not None and found.spec.reconcile is not None


def _ours(about: Subject, reader: Reader, record: StagedRecord) -> OurRecord | None:
    """Our side, where the rule speaks of exactly this write."""
    if record.system != about.rule.system or record.operation != their_side.writing_operation(about):
        return None
    row = CanonicalRecord(key=record.key, document=record.canonical, amount=record.amount, currency=record.currency)
    try:
        found = reader.our_record(row)
    except Invalid:
        return None
    return found if found.key == record.reference else None


def _compared(about: Subject, reader: Reader, ours: dict[str, tuple[StagedRecord, OurRecord]]) -> dict[str, Seen]:
    target = their_side.Target(about)
    pairs = {key: Pair(key, record) for key, (_, record) in ours.items()}
    if len(ours) >= LISTED_FROM or not target.can_find:
        _add_listed(target, reader, pairs, [record for record, _ in ours.values()])
    for key, documents in target.found([key for key, pair in pairs.items() if not pair.theirs]).items():
        for document in documents:
            item = reader.their_item(document)
            _add(pairs[key], [item]) if item else pairs[key].aside.append(reader.any_item(document))
    return {ours[key][0].ident: _seen(pair, reader) for key, pair in pairs.items()}


def _add_listed(
    target: their_side.Target, reader: Reader, pairs: dict[str, Pair], records: Sequence[StagedRecord]
) -> None:
    """From the list of the days that these records are of."""
    days: list[date] = sorted(record.business_date for record in records if record.business_date)
    if not days:
        return
    listed = 0
    for document in target.listed(first=days[0], last=days[-1]):
        listed += 1
        item = reader.their_item(document)
        if item is not None and item.key in pairs:
            _add(pairs[item.key], [item])
    reader.check(listed)


def _add(pair: Pair, items: Iterable[TheirItem]) -> None:
    """A document listed twice counts once."""
    for item in items:
        if not any(item.identity and item.identity == other.identity for other in pair.theirs):
            pair.theirs.append(item)


def _seen(pair: Pair, reader: Reader) -> Seen:
    if pair.aside and not pair.theirs:
        left_out = {
            "name": "rule",
            "ours": "staged",
            "theirs": f"{pair.aside[0].ident} is there, but left out by the flow's `only` (cancelled, say)",
        }
        return Seen(StagedVerdict.DIFFERS, [left_out], pair.aside[0].ident)
    finding = compare.finding_of(pair, rules=reader.rules)
    external_id = pair.theirs[0].ident if pair.theirs else ""
    if finding is None:
        return Seen(StagedVerdict.MATCHED, external_id=external_id)
    return Seen(VERDICTS[finding.kind], _differences(finding), external_id)


def _differences(finding: Finding) -> list[dict[str, object]]:
    return [
        {"name": item.name, "ours": compare.shown(item.ours), "theirs": compare.shown(item.theirs)}
        for item in finding.fields
    ]


def _twice(other: StagedRecord) -> dict[str, object]:
    return {"name": "reference", "ours": other.reference, "theirs": f"staged also as {other.ident}"}
