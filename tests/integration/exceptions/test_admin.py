import pytest
from django.test import Client
from django.urls import reverse

from exceptions import tickets
from ownership.enums import Role
from tests.factories import people
from tests.factories import tickets as make

pytestmark = pytest.mark.django_db


def test_admin_shows_tickets_and_approvals_with_history_and_changes_nothing(client: Client) -> None:
    admin = people.person("Alex Admin", role=Role.ADMIN, is_staff=True, is_superuser=True)
    approval = make.approval(people.bob())
    tickets.comment(approval.ticket, text="Look.", by=people.alice())
    client.force_login(admin)
    for model, row in (("ticket", approval.ticket), ("approval", approval)):
        named = (("changelist", ()), ("change", (row.pk,)), ("history", (row.pk,)))
        pages = [reverse(f"admin:exceptions_{model}_{page}", args=args) for page, args in named]
        assert [client.get(page).status_code for page in pages] == [200, 200, 200]
        assert client.post(pages[1], {"status": "resolved"}).status_code == 403
