"""The support desk: tickets with comments, and what a customer is entitled to. Every change of a ticket is told by webhook."""

from typing import Annotated

from pydantic import Field

from syncflows.sandbox import documents, webhooks
from syncflows.sandbox.documents import COMMENTS, ENTITLEMENTS, TICKETS
from syncflows.sandbox.enums import EventType, Priority, TicketStatus
from syncflows.sandbox.exchange import Answer, Call
from syncflows.sandbox.fields import Input, IsoDate, LongText, Quantity, Reference, Text
from syncflows.sandbox.lists import CHANGED, Filters, answer_page, page_size, refuse_unknown
from syncflows.sandbox.resources import find, merge, save_change, stamp

ENTITLEMENT_FILTERS: Filters = {**CHANGED, "external_id": ("external_id", "="), "order_number": ("parent", "=")}
TICKET_FILTERS: Filters = {**CHANGED, "external_id": ("external_id", "="), "status": ("status", "=")}


class TicketIn(Input):
    subject: Text
    description: LongText = ""
    priority: Priority = Priority.NORMAL
    external_id: Reference | None = None
    requester: Text | None = None


class TicketChange(TicketIn):
    status: TicketStatus = TicketStatus.OPEN
    assignee: Text | None = None


class CommentIn(Input):
    body: Annotated[str, Field(min_length=1, max_length=20_000)]
    author: Text | None = None


class EntitlementIn(Input):
    external_id: Reference | None = None
    order_number: Reference
    customer: Text
    product: Text
    quantity: Quantity = 1
    starts_on: IsoDate


def create_entitlement(call: Call) -> Answer:
    body = {"id": documents.new_id("ent"), **call.read(EntitlementIn).model_dump()}
    return Answer(201, documents.add(call.store, ENTITLEMENTS, stamp(call, body)))


def remove_entitlement(call: Call) -> Answer:
    """Gone, not cancelled: nothing of it can be read afterwards."""
    documents.remove(call.store, ENTITLEMENTS, find(call, ENTITLEMENTS)["id"])
    return Answer(204)


def create_ticket(call: Call) -> Answer:
    given = call.read(TicketIn).model_dump()
    body = {"id": documents.new_id("tic"), **given, "status": TicketStatus.OPEN, "assignee": None, "version": 1}
    body = documents.add(call.store, TICKETS, stamp(call, body))
    call.emit(EventType.TICKET_CREATED, body)
    return Answer(201, body)


def change_ticket(call: Call) -> Answer:
    current = find(call, TICKETS)
    after = save_change(call, TICKETS, current, merge(call, TicketChange, current).model_dump())
    if after:
        call.emit(EventType.TICKET_UPDATED, after)
    return Answer(200, after or current)


def create_comment(call: Call) -> Answer:
    """The ticket changes with it: version, time and webhook."""
    ticket = find(call, TICKETS)
    body = {"id": documents.new_id("com"), "ticket_id": ticket["id"], **call.read(CommentIn).model_dump()}
    body = documents.add(call.store, COMMENTS, stamp(call, body))
    after = save_change(call, TICKETS, ticket, {"last_comment_id": body["id"]})
    call.emit(EventType.TICKET_UPDATED, {**(after or ticket), "comment": body})
    return Answer(201, body)


def list_comments(call: Call) -> Answer:
    ticket = find(call, TICKETS)
    refuse_unknown(call.query, known=("limit", "cursor"))
    items, cursor = documents.page(
        call.store,
        COMMENTS,
        [("parent", "=", ticket["id"])],
        limit=page_size(call.query),
        cursor=call.query.get("cursor"),
    )
    return Answer(200, {"items": items, "next_cursor": cursor})


ROUTES = [
    ("POST", "/tickets", create_ticket),
    ("GET", "/tickets", lambda call: answer_page(call, TICKETS, TICKET_FILTERS)),
    ("GET", "/tickets/{key}", lambda call: Answer(200, find(call, TICKETS))),
    ("PATCH", "/tickets/{key}", change_ticket),
    ("POST", "/tickets/{key}/comments", create_comment),
    ("GET", "/tickets/{key}/comments", list_comments),
    ("POST", "/entitlements", create_entitlement),
    ("GET", "/entitlements", lambda call: answer_page(call, ENTITLEMENTS, ENTITLEMENT_FILTERS)),
    ("GET", "/entitlements/{key}", lambda call: Answer(200, find(call, ENTITLEMENTS))),
    ("DELETE", "/entitlements/{key}", remove_entitlement),
    *webhooks.ROUTES,
]
