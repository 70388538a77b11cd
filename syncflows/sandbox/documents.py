"""Business documents in the store: a JSON body, plus the few columns that are searched or added up.

Knows nothing of HTTP beyond the refusals of a bad cursor. All writes happen inside the caller's transaction.
"""

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from typing import Any

from syncflows.sandbox.errors import invalid
from syncflows.sandbox.store import Store

Body = dict[str, Any]
Condition = tuple[str, str, str]
COLUMNS = (
    "key",
    "external_id",
    "name",
    "parent",
    "on_date",
    "status",
    "currency",
    "amount",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True)
class Entity:
    """Which field of a body fills which column. `noun` is how messages call one document."""

    name: str
    noun: str
    key: str = "id"
    external_id: str = "external_id"
    label: str = "name"
    parent: str = ""
    on_date: str = ""
    status: str = "status"
    amount: str = ""

    def columns(self, body: Body) -> tuple[Any, ...]:
        fields = (
            self.key,
            self.external_id,
            self.label,
            self.parent,
            self.on_date,
            self.status,
            "currency",
            self.amount,
        )
        return (*(body.get(field) for field in fields), body["created_at"], body["updated_at"])


ACCOUNTS = Entity("crm.accounts", "account")
OPPORTUNITIES = Entity(
    "crm.opportunities", "opportunity", parent="account_id", on_date="close_date", status="stage", amount="close_value"
)
QUOTES = Entity("crm.quotes", "quote", parent="opportunity_id", amount="total")
CUSTOMERS = Entity("erp.customers", "customer")
PRICES = Entity("erp.prices", "price book entry", key="sku")
ORDERS = Entity("erp.orders", "order", key="number", parent="customer_id", on_date="order_date", amount="total")
INVOICES = Entity(
    "erp.invoices", "invoice", key="number", parent="order_number", on_date="invoice_date", amount="total"
)
TICKETS = Entity("desk.tickets", "ticket")
ENTITLEMENTS = Entity("desk.entitlements", "entitlement", parent="order_number", label="product")
COMMENTS = Entity("desk.comments", "comment", parent="ticket_id")
BY_SHORT_NAME = {
    entity.name.split(".")[1]: entity
    for entity in (
        ACCOUNTS,
        OPPORTUNITIES,
        QUOTES,
        CUSTOMERS,
        PRICES,
        ORDERS,
        INVOICES,
        TICKETS,
        COMMENTS,
        ENTITLEMENTS,
    )
}


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


def add(store: Store, entity: Entity, body: Body) -> Body:
    """Write a new document. Raises sqlite3.IntegrityError when its key is taken."""
    marks = ", ".join("?" * len(COLUMNS))
    store.execute(
        f"INSERT INTO documents (entity, body, {', '.join(COLUMNS)}) VALUES (?, ?, {marks})",
        (entity.name, _dump(body), *entity.columns(body)),
    )
    return body


def replace(store: Store, entity: Entity, body: Body) -> Body:
    """Overwrite the document that has this key."""
    settings = ", ".join(f"{column} = ?" for column in COLUMNS)
    store.execute(
        f"UPDATE documents SET body = ?, {settings} WHERE entity = ? AND key = ?",
        (_dump(body), *entity.columns(body), entity.name, body[entity.key]),
    )
    return body


def remove(store: Store, entity: Entity, key: str) -> None:
    store.execute("DELETE FROM documents WHERE entity = ? AND key = ?", (entity.name, key))


def get(store: Store, entity: Entity, key: str) -> Body | None:
    row = store.execute("SELECT body FROM documents WHERE entity = ? AND key = ?", (entity.name, key)).fetchone()
    return json.loads(row["body"]) if row else None


def count(store: Store, entity: Entity) -> int:
    return int(store.execute("SELECT count(*) FROM documents WHERE entity = ?", (entity.name,)).fetchone()[0])


def latest(store: Store, entity: Entity, limit: int) -> list[Body]:
    rows = store.execute(
        "SELECT body FROM documents WHERE entity = ? ORDER BY seq DESC LIMIT ?", (entity.name, limit)
    ).fetchall()
    return [json.loads(row["body"]) for row in rows]


def page(
    store: Store, entity: Entity, conditions: list[Condition], *, limit: int, cursor: str | None
) -> tuple[list[Body], str | None]:
    """One page and the cursor of the next.

    In order of creation; in order of change when `updated_at` is among the conditions, so that a document that
    changes while it is being paged through moves to the end instead of being missed.
    """
    by_change = any(column == "updated_at" for column, _, _ in conditions)
    order = ("updated_at", "seq") if by_change else ("seq",)
    sql = ["SELECT seq, updated_at, body FROM documents WHERE entity = ?"]
    values: list[Any] = [entity.name]
    for column, operator, value in conditions:
        sql.append(f"AND {column} {operator} ?" + (" COLLATE NOCASE" if column == "name" else ""))
        values.append(value)
    if cursor is not None:
        sql.append(f"AND ({', '.join(order)}) > ({', '.join('?' * len(order))})")
        values += _read_cursor(cursor, size=len(order))
    sql.append(f"ORDER BY {', '.join(order)} LIMIT ?")
    rows = store.execute(" ".join(sql), (*values, limit + 1)).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return [json.loads(row["body"]) for row in rows], _write_cursor([rows[-1][c] for c in order]) if more else None


def _dump(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _write_cursor(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(cursor: str, *, size: int) -> list[Any]:
    try:
        place = json.loads(base64.b64decode(cursor.encode("ascii", "replace"), b"-_", validate=True))
        if not isinstance(place, list) or len(place) != size or type(place[-1]) is not int:
            raise ValueError(cursor)
        if abs(place[-1]) >= 2**63 or not all(isinstance(part, str) for part in place[:-1]):
            raise ValueError(cursor)
    except (ValueError, binascii.Error, RecursionError):
        raise invalid(("cursor", "is not one that this list gave out with these filters")) from None
    return place
