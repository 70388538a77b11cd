"""A retry that is due before the sweeper comes rings for itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from syncflows.engine import sweeping
from syncflows.engine.enums import RunStatus
from syncflows.engine.models import Run
from tests.integration.engine import deals

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("in_s", "is_next"), [(1, True), (sweeping.EVERY_S + 60, False), (-1, False)])
def test_next_due_is_what_comes_before_the_sweeper(customer_id: str, in_s: int, is_next: bool) -> None:
    deals.send(1, customer_id=customer_id)
    at = timezone.now() + timedelta(seconds=in_s)
    Run.objects.update(status=RunStatus.RETRYING, due_at=at)
    assert sweeping.next_due() == (at if is_next else None)
