"""The sentences of a discrepancy: what was found, with both values, and what to do. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from meshline.kernel import money
from reconciliation.compare import Difference, Finding, TheirItem, text_of
from reconciliation.enums import DiscrepancyKind
from reconciliation.our_side import Subject
from syncflows.enums import ExceptionClass

SHOWN = 5
REASONS = {
    DiscrepancyKind.MISSING_IN_TARGET: "missing_in_target",
    DiscrepancyKind.MISSING_IN_SOURCE: "missing_in_source",
    DiscrepancyKind.DIFFERS: "fields_differ",
    DiscrepancyKind.DUPLICATE: "found_twice",
}


def exception_class(kind: DiscrepancyKind) -> ExceptionClass:
    return ExceptionClass.DUPLICATE if kind == DiscrepancyKind.DUPLICATE else ExceptionClass.DRIFT


def message(about: Subject, finding: Finding, *, record: str) -> str:
    """One sentence. `record` our canonical key, empty where there is none."""
    target, mine = about.system.title or about.system.name, f"our record of {about.canonical} {record or finding.key}"
    if finding.kind == DiscrepancyKind.MISSING_IN_TARGET:
        return _missing_there(target, finding, f"{about.canonical.capitalize()} {record or finding.key}")
    if finding.kind == DiscrepancyKind.MISSING_IN_SOURCE:
        return _missing_here(target, finding)
    if finding.kind == DiscrepancyKind.DUPLICATE:
        return _twice(target, finding)
    parts = [
        _differs(item, finding, first=place == 0, target=target, mine=mine)
        for place, item in enumerate(finding.fields[:SHOWN])
    ]
    more = f"; and {len(finding.fields) - SHOWN} more fields differ" if len(finding.fields) > SHOWN else ""
    return f"{'; '.join(parts)}{more}."


def remedy(about: Subject, finding: Finding) -> str:
    target, again = (
        about.system.title or about.system.name,
        "Then check again: the ticket closes when both sides agree.",
    )
    if finding.kind == DiscrepancyKind.MISSING_IN_TARGET:
        return f"Find out in {target} who removed or cancelled it. Restore it there under the reference {finding.key}, or accept its absence with a reason. {again}"
    if finding.kind == DiscrepancyKind.MISSING_IN_SOURCE:
        return f"Find out in {target} who made it. Cancel it there, or give it the reference of the record it belongs to; accept it with a reason if it is meant to be. {again}"
    if finding.kind == DiscrepancyKind.DUPLICATE:
        return f"Decide which one stays (the oldest, as a rule) and cancel the others in {target}. {again}"
    return f"Correct {target} where it was changed by hand, or the source where it is right there, and let it come through the flow. {again}"


def shown_amount(amount: Decimal | None, currency: str) -> str:
    """`USD 9,310.00`; empty where there is no amount."""
    if amount is None:
        return ""
    try:
        return str(money.Money(amount, currency))
    except money.BadAmount:
        return f"{currency} {money.text(amount)}".strip()


def _missing_there(target: str, finding: Finding, record: str) -> str:
    assert finding.ours is not None
    amount = shown_amount(finding.ours.amount, finding.ours.currency)
    worth = f" ({amount})" if amount else ""
    if finding.aside:
        return f"{record}{worth} was delivered to {target}, which has it only as {_names(finding.aside)}, left out of the comparison (cancelled, for example)."
    return f"{record}{worth} was delivered to {target}, which does not have it any more."


def _missing_here(target: str, finding: Finding) -> str:
    item = finding.theirs[0]
    amount = shown_amount(item.amount, item.currency)
    reference = f"the reference {item.key}" if item.key else "no reference of ours"
    return f"{item.ident}{f' ({amount})' if amount else ''} is in {target} with {reference}, and no record of ours explains it."


def _twice(target: str, finding: Finding) -> str:
    each = ", ".join(
        f"{item.ident} {shown_amount(item.amount, item.currency)}".strip() for item in finding.theirs[:SHOWN]
    )
    ours = shown_amount(finding.ours.amount, finding.ours.currency) if finding.ours else ""
    told = f"; our record says {ours}" if ours else "; no record of ours explains it" if finding.ours is None else ""
    return f"{finding.key} is {len(finding.theirs)} times in {target}: {each}{'…' if len(finding.theirs) > SHOWN else ''}{told}."


def _differs(found: Difference, finding: Finding, *, first: bool, target: str, mine: str) -> str:
    item = finding.theirs[0]
    theirs, ours = (
        _value(found.theirs, found, item.currency),
        _value(found.ours, found, finding.ours.currency if finding.ours else ""),
    )
    if first:
        what = "" if found.tolerance is not None and found.name in ("total", "amount") else f"{found.name} "
        return f"{item.ident}{' ' if not what else f': {what}'}is {theirs} in {target}, {ours} in {mine}"
    return f"{found.name} is {theirs} there, {ours} here"


def _value(value: Any, found: Difference, currency: str) -> str:
    if found.tolerance is not None:
        try:
            return shown_amount(money.decimal(value), currency)
        except money.BadAmount:
            pass
    return text_of(value) or "empty"


def _names(items: tuple[TheirItem, ...]) -> str:
    return ", ".join(item.ident for item in items[:SHOWN])
