"""What stands at the `type` of a problem: what the code means and what to do. The codes of all operations together are listed; rarer ones
say the rest in their own `detail`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_safe

CODES = {
    "not_authenticated": "No credential came with the request. Send `Authorization: Bearer msh_…`; an admin makes one with manage.py token create.",
    "invalid_token": "The token is unknown, expired or revoked. Ask an admin for a new one.",
    "missing_scope": "The token does not carry the scope that this operation asks. `context.scope` names it.",
    "not_allowed": "The role behind this token or session may not do that. `detail` says which roles may.",
    "four_eyes": "Who asked, or who corrected the record, never decides it. Somebody else of the approving team must.",
    "not_in_team": "Only members of the approving team decide. Add the person, or the token's service user, to the team, or ask a member.",
    "not_found": "There is nothing by that id.",
    "unknown_address": "There is no operation at this address. Addresses end with a slash; /api/v1/docs/ lists them.",
    "bad_json": "The body is not JSON as RFC 8259 and this API want it: UTF-8, no NaN, no key twice. `detail` says where.",
    "invalid": "The content cannot be accepted. `errors` lists each field and what is wrong with it.",
    "bad_query": "A query parameter has a value that cannot be read. `errors` names it.",
    "value_out_of_range": "A number, time or text in the request is larger than can be kept or compared.",
    "unknown_parameter": "A query parameter is not one that this address reads. It is refused, because ignoring a filter would answer another question.",
    "bad_cursor": "The cursor cannot be read. Take it from `next_cursor`, unchanged, or begin without one.",
    "bad_idempotency_key": "The Idempotency-Key is empty, too long or not visible ASCII.",
    "idempotency_key_in_flight": "A request with this Idempotency-Key is being worked on. Ask again in a second: the answer will be stored by then.",
    "idempotency_key_reused": "This Idempotency-Key was used for another request within 24 hours. Make a new key for each new request.",
    "conflict": "The record is not in a state that allows it, or somebody else was first. Read it again.",
    "status_changed": "Somebody or something changed the record first. Read it again.",
    "ticket_resolved": "The ticket is resolved already. Reopen it first, if it still needs work.",
    "needs_approval": "What this ticket waits for is an approval. Decide that.",
    "already_decided": "The approval is decided, or void because the record changed since.",
    "reason_missing": "A reason is needed: it becomes part of the record.",
    "body_too_large": "The body is larger than the limit. Send less at once.",
    "body_too_slow": "The body was not here in time. Nothing of it was kept. Send it again.",
    "quota_exceeded": "The source sends more events than its definition allows (`ingest`). `context.quota` names which quota, `Retry-After` when the request fits.",
    "backlog_full": "More work is due than sources of this importance may add to. `Retry-After` says when there should be room; nothing of the request was kept.",
    "door_full": "This web process holds as many events unstored as it may. Nothing of the request was kept. Send it again after `Retry-After`.",
    "batch_over_quota": "One request holds more events than the source may ever send at once. `context.most` says how many it may be.",
    "method_not_allowed": "This address does not take this method. `Allow` lists those it takes.",
    "unsupported_media_type": "Send `Content-Type: application/json`.",
    "not_acceptable": "Only JSON is answered: send `Accept: application/json`.",
    "database_down": "The database does not answer. Nothing was changed. Try again after `Retry-After` seconds.",
    "internal": "A defect of ours. Nothing of the request was kept. Tell us the request id in `instance`.",
}
ELSE = "What happened, to which record, and what to do next stands in the problem's `detail`."


@require_safe
def explain(request: HttpRequest, code: str) -> HttpResponse:
    """A page for people who follow the link."""
    text = CODES.get(code, ELSE)
    page = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{0} · Meshline API</title><h1>{0}</h1><p>{1}</p><p><a href="/api/v1/docs/">All operations</a></p></html>'
    return HttpResponse(format_html(page, code, text))
