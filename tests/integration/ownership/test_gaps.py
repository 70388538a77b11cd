from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ownership import gaps, matrix
from ownership.enums import GapKind, OwnerRole
from ownership.models import FlowOwner, Team, User

pytestmark = pytest.mark.django_db


def person(name: str, **values: object) -> User:
    return User.objects.create_user(name, first_name=name.title(), **values)


def own(user: User | None, role: OwnerRole = OwnerRole.SYNC, **values: object) -> FlowOwner:
    return FlowOwner.objects.create(flow="deals", role=role, person=user, **values)


def kinds(role: OwnerRole = OwnerRole.SYNC) -> list[str]:
    return [gap.kind for gap in gaps.of_flows(["deals"]) if gap.role == role]


def test_find_tells_each_role_that_nobody_has() -> None:
    assert [gap.kind for gap in gaps.of_flows(["deals"])] == [GapKind.NO_OWNER] * 4


def test_find_is_content_with_somebody_who_is_there() -> None:
    own(person("alice"))
    assert kinds() == []


def test_find_tells_owners_who_left_or_are_away_unless_a_delegate_stands_in() -> None:
    later = timezone.now() + timedelta(days=3)
    alice = person("alice", out_until=later)
    own(alice, fallback=person("bob"))
    assert kinds() == [GapKind.OWNER_AWAY]
    assert "Meanwhile Bob answers." in gaps.of_flows(["deals"])[0].what
    alice.delegate = person("charlie")
    alice.save()
    assert kinds() == []
    alice.delegate, alice.is_active = None, False
    alice.save()
    assert kinds() == [GapKind.OWNER_GONE]


def test_find_tells_empty_teams_and_a_triage_without_on_call() -> None:
    Team.objects.create(name="finance", title="Finance")
    assert [gap.kind for gap in gaps.of_teams()] == [GapKind.EMPTY_TEAM, GapKind.NO_ON_CALL]
    Team.objects.create(name="triage", title="Triage", on_call=person("alice")).members.add(person("bob"))
    assert [(gap.kind, gap.team) for gap in gaps.of_teams()] == [(GapKind.EMPTY_TEAM, "finance")]


def test_csv_rows_says_who_answers_now() -> None:
    own(person("alice", out_until=timezone.now() + timedelta(days=1)), fallback=person("bob"))
    rows = list(matrix.csv_rows(matrix.of_flows(["deals"])))
    assert [str(item) for item in rows[0]][2:] == [
        "Alice",
        "None",
        "Bob",
        "Bob",
        "fallback of the sync owner (accountable)",
    ]


def test_find_asks_three_queries(django_assert_num_queries) -> None:
    own(person("alice"))
    with django_assert_num_queries(3):
        gaps.find(["deals", "other"])
