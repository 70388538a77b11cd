"""The sandbox's own page: the three systems, what stands in them, and buttons for typical faults.

Plain HTML from the server, one stylesheet, no script. It shows and switches; it computes nothing itself.
"""

from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncflows.sandbox import catalogue, documents, ledger
from syncflows.sandbox.documents import (
    ACCOUNTS,
    COMMENTS,
    CUSTOMERS,
    INVOICES,
    OPPORTUNITIES,
    ORDERS,
    PRICES,
    QUOTES,
    TICKETS,
    Entity,
)  # fmt: skip
from syncflows.sandbox.enums import SystemName
from syncflows.sandbox.errors import ApiError
from syncflows.sandbox.exchange import Answer, read_body
from syncflows.sandbox.faults import Fault
from syncflows.sandbox.page_style import STYLE
from syncflows.sandbox.world import World

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
TITLES = {SystemName.CRM: "CRM", SystemName.ERP: "ERP", SystemName.DESK: "Support desk"}
SHOWN: dict[SystemName, tuple[Entity, ...]] = {
    SystemName.CRM: (ACCOUNTS, OPPORTUNITIES, QUOTES),
    SystemName.ERP: (CUSTOMERS, PRICES, ORDERS, INVOICES),
    SystemName.DESK: (TICKETS, COMMENTS),
}
ORDERS_PATH: dict[str, Any] = {"system": "erp", "method": "POST", "path_prefix": "/orders"}
TYPICAL: dict[str, tuple[str, dict[str, Any]]] = {
    "erp-down": ("ERP answers 503", {"system": "erp", "kind": "status", "params": {"status": 503, "retry_after": 5}}),
    "erp-slow": ("ERP is slow (2 s)", {"system": "erp", "kind": "latency", "params": {"ms": 2000}}),
    "erp-timeout": (
        "ERP commits orders, then hangs (30 %)",
        {**ORDERS_PATH, "kind": "timeout_after_commit", "probability": 0.3, "params": {"hang_s": 30}},
    ),
    "erp-cut": (
        "ERP commits orders, then cuts the line (30 %)",
        {**ORDERS_PATH, "kind": "cut_after_commit", "probability": 0.3},
    ),
    "erp-expired": ("ERP credential expired", {"system": "erp", "kind": "expire_credential"}),
    "crm-renamed": (
        "CRM renames close_value to amount",
        {"system": "crm", "kind": "rename_field", "params": {"from": "close_value", "to": "amount"}},
    ),
    "crm-duplicate": ("CRM sends webhooks twice", {"system": "crm", "kind": "duplicate_webhook"}),
    "crm-malformed": (
        "CRM sends broken webhooks (20 %)",
        {"system": "crm", "kind": "malformed_webhook", "probability": 0.2},
    ),
}


def build_routes(world: World) -> list[Route]:
    async def show(request: Request) -> Response:
        return Response(render(world), headers=HEADERS, media_type="text/html")

    async def style(request: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    async def switch(request: Request) -> Response:
        try:
            refuse_cross_site(request)
            form = parse_qs((await read_body(request)).decode("utf-8", "replace"))
            switch_fault(world, on=form.get("on", [""])[0], off=form.get("off", [""])[0])
        except ApiError as error:
            return Answer(error.status, error.body()).render()
        return RedirectResponse("/", 303)

    return [
        Route("/", show, methods=["GET"]),
        Route("/page.css", style, methods=["GET"]),
        Route("/faults", switch, methods=["POST"]),
    ]


def refuse_cross_site(request: Request) -> None:
    """Another site's page in the same browser must not steer the sandbox. Raises ApiError 403."""
    if request.method != "GET" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise ApiError(403, "cross_site", "Requests from other sites are not taken.")


def switch_fault(world: World, *, on: str, off: str) -> None:
    """Raises ApiError 404."""
    with world.store.transaction():
        if on in TYPICAL:
            world.faults.add(Fault.model_validate({"id": on, **TYPICAL[on][1]}))
        elif off == "*":
            world.faults.clear()
        else:
            world.faults.remove(off or on)


def render(world: World) -> str:
    body = "".join((_cards(world), _duplicates(world), _faults(world), _orders(world), _hooks(world)))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/page.css"></head><body><main>'
        f"<header><h1>Sandbox</h1><p>{escape(catalogue.COMPANY)}: simulated systems. Nothing here is real, "
        f'and everything here can go wrong.</p></header>{body}<footer><a href="/">Reload</a></footer></main></body></html>'
    )


def _cards(world: World) -> str:
    return f'<section class="cards">{"".join(_card(world, system) for system in SystemName)}</section>'


def _card(world: World, system: SystemName) -> str:
    rows = "".join(_count_row(world, entity) for entity in SHOWN[system])
    return (
        f"<article><h2>{TITLES[system]}</h2><p><code>/{system}</code></p><table><tbody>{rows}</tbody></table></article>"
    )


def _count_row(world: World, entity: Entity) -> str:
    short = entity.name.split(".")[1]
    sums = ", ".join(f"{_group(amount)} {currency}" for currency, amount in ledger.add_up(world.store, entity).items())
    link = f'<a href="/_control/ledger?entity={short}">{short}</a>'
    count = documents.count(world.store, entity)
    return f'<tr><th scope="row">{link}</th><td class="n">{count:,}</td><td class="n">{escape(sums)}</td></tr>'


def _duplicates(world: World) -> str:
    found = [
        (entity, row) for entity in (ORDERS, INVOICES, CUSTOMERS) for row in ledger.find_duplicates(world.store, entity)
    ]
    if not found:
        return '<section><h2>Duplicates</h2><p class="good">None: no external id has two documents.</p></section>'
    rows = "".join(
        f"<li>{entity.noun} <code>{escape(row['external_id'])}</code>: {escape(', '.join(row['numbers']))}</li>"
        for entity, row in found[:20]
    )
    return f'<section class="bad"><h2>Duplicates: {len(found)}</h2><ul>{rows}</ul></section>'


def _faults(world: World) -> str:
    active = {str(fault.id): fault for fault in world.faults.all()}
    buttons = "".join(
        f'<button name="on" value="{key}">{escape(title)}</button>'
        for key, (title, _) in TYPICAL.items()
        if key not in active
    )
    rows = "".join(_fault_row(fault) for fault in active.values())
    listed = f'<ul class="faults">{rows}</ul>' if rows else '<p class="good">None active: all three systems behave.</p>'
    clear = '<button name="off" value="*">All off</button>' if rows else ""
    return (
        f'<section><h2>Faults</h2><form method="post" action="/faults">{listed}{clear}'
        f"<h3>Switch on</h3>{buttons}</form></section>"
    )


def _fault_row(fault: Fault) -> str:
    shape = fault.shape()
    title = TYPICAL.get(str(fault.id), (f"{shape['kind']} on {shape['system']}", {}))[0]
    scope = f"{shape.get('method', 'any method')} /{shape['system']}{shape.get('path_prefix', '')}"
    left = f", {fault.count} left" if fault.count else ""
    return (
        f'<li class="bad"><span>{escape(title)} <small>{escape(scope)}, {fault.probability:.0%}{left}</small></span>'
        f'<button name="off" value="{escape(str(fault.id))}">Off</button></li>'
    )


def _orders(world: World) -> str:
    orders = documents.latest(world.store, ORDERS, 15)
    if not orders:
        return "<section><h2>Latest orders</h2><p>Orders appear here as soon as somebody posts one to <code>/erp/orders</code>.</p></section>"
    rows = "".join(
        f"<tr><td>{escape(order['number'])}</td><td>{escape(order['external_id'] or '')}</td>"
        f"<td>{escape(order['status'])}</td><td class='n'>{_group(order['total'])} {escape(order['currency'])}</td>"
        f"<td>{escape(order['created_at'][:19])}Z</td></tr>"
        for order in orders
    )
    head = "<tr><th>Number</th><th>External id</th><th>Status</th><th>Total</th><th>Created</th></tr>"
    return f'<section><h2>Latest orders</h2><div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div></section>'


def _hooks(world: World) -> str:
    rows = world.store.execute(
        "SELECT w.system, w.url, w.state, coalesce(sum(d.state = 'delivered'), 0) AS delivered,"
        " coalesce(sum(d.state = 'pending'), 0) AS waiting FROM webhooks w"
        " LEFT JOIN deliveries d ON d.webhook = w.id GROUP BY w.id ORDER BY w.rowid"
    ).fetchall()
    if not rows:
        return "<section><h2>Webhooks</h2><p>None subscribed: POST to <code>/crm/webhooks</code>.</p></section>"
    items = "".join(
        f"<li>{escape(row['system'])} to <code>{escape(row['url'])}</code>: {escape(row['state'])}, "
        f"{row['delivered']:,} delivered, {row['waiting']:,} waiting</li>"
        for row in rows
    )
    return f"<section><h2>Webhooks</h2><ul>{items}</ul></section>"


def _group(amount: str) -> str:
    whole, _, decimals = amount.partition(".")
    return f"{int(whole):,}" + (f".{decimals}" if decimals else "")
