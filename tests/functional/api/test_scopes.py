"""Nobody gets further than their token says, and nothing changes when they try."""

from __future__ import annotations

from exceptions.models import Approval, TicketEntry
from meshline.audit.models import AuditEvent
from meshline.kernel.api.idempotency import is_idempotent
from ownership.enums import Scope
from ownership.models import ApiToken
from tests.factories import people
from tests.factories import tickets as make
from tests.functional.api.conftest import Api
from tests.functional.api.operations import all_operations


def test_every_operation_names_a_scope() -> None:
    operations = all_operations()
    assert len(operations) > 25
    assert [item.route for item in operations if item.scope not in Scope.values] == []


def test_reading_takes_a_reading_scope_and_writing_a_writing_one() -> None:
    for item in all_operations():
        assert item.scope.endswith(":read") == (item.method == "GET"), (item.method, item.route, item.scope)


def test_every_unsafe_operation_honours_the_idempotency_key() -> None:
    assert [item.route for item in all_operations() if item.method != "GET" and not is_idempotent(item.handler)] == []


def test_every_operation_is_refused_without_a_credential(api: Api) -> None:
    client = api(anonymous=True)
    for item in all_operations():
        answer = client.request(item.method, item.path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), item
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="meshline"'


def test_every_operation_is_refused_without_its_scope_and_changes_nothing(api: Api) -> None:
    ticket, approval = make.ticket(), make.approval(people.bob())
    clients = {scope: api(*[other for other in Scope.values if other != scope]) for scope in Scope.values}
    before = (TicketEntry.objects.count(), AuditEvent.objects.count())
    for item in all_operations():
        ident = approval.public_id if item.route.startswith("approvals") else ticket.public_id
        path = item.route.replace("<slug:public_id>", ident).replace("<slug:name>", "orders")
        answer = clients[item.scope].request(
            item.method, path, json={"reason": "x", "text": "x", "ids": [ident]} if item.method != "GET" else None
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope"), item
        assert item.scope in answer.json()["detail"]
        assert f'scope="{item.scope}"' in answer.headers["WWW-Authenticate"]
    assert (TicketEntry.objects.count(), AuditEvent.objects.count()) == before
    assert Approval.objects.get().status == approval.status


def test_a_revoked_or_made_up_token_is_refused(api: Api) -> None:
    client = api()
    assert client.get("tickets/").status_code == 200
    ApiToken.objects.update(revoked_at=ApiToken.objects.get().created_at)
    answer = client.get("tickets/")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    made_up = client.get("tickets/", headers={"Authorization": b"Bearer msh_\xe9\xff"})
    assert made_up.status_code == 401
