"""What really stands in the store, counted and added up exactly: the judge of "none lost, none twice".

Cancelled documents are only in `by_status`; count, sum and duplicates are of those that stand.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from syncflows.sandbox.documents import Entity
from syncflows.sandbox.enums import OrderStatus
from syncflows.sandbox.fields import format_money
from syncflows.sandbox.store import Store

STANDING = f"entity = ? AND coalesce(status, '') <> '{OrderStatus.CANCELLED}'"


def summarise(store: Store, entity: Entity) -> dict[str, Any]:
    return {
        "entity": entity.name,
        "count": store.execute(f"SELECT count(*) FROM documents WHERE {STANDING}", (entity.name,)).fetchone()[0],
        "sum": add_up(store, entity),
        "duplicates": find_duplicates(store, entity),
        "by_status": count_by_status(store, entity),
    }


def add_up(store: Store, entity: Entity) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for currency, amount in store.execute(
        f"SELECT currency, amount FROM documents WHERE {STANDING} AND amount IS NOT NULL", (entity.name,)
    ):
        totals[currency] = totals.get(currency, Decimal(0)) + Decimal(amount)
    return {currency: format_money(total, currency) for currency, total in sorted(totals.items())}


def find_duplicates(store: Store, entity: Entity) -> list[dict[str, Any]]:
    rows = store.execute(
        f"SELECT external_id, json_group_array(key) AS numbers FROM documents WHERE {STANDING}"
        " AND external_id IS NOT NULL GROUP BY external_id HAVING count(*) > 1 ORDER BY min(seq)",
        (entity.name,),
    ).fetchall()
    return [{"external_id": row["external_id"], "numbers": sorted(json.loads(row["numbers"]))} for row in rows]


def count_by_status(store: Store, entity: Entity) -> dict[str, int]:
    rows = store.execute(
        "SELECT status, count(*) FROM documents WHERE entity = ? AND status IS NOT NULL GROUP BY status", (entity.name,)
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def write_lines(store: Store, entity: Entity) -> Iterator[str]:
    """Every document, cancelled ones too, as one JSON line each."""
    for row in store.execute(
        "SELECT external_id, key AS number, amount AS total, currency, status, created_at FROM documents"
        " WHERE entity = ? ORDER BY seq",
        (entity.name,),
    ):
        yield json.dumps(dict(row), ensure_ascii=False) + "\n"
