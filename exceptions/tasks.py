"""What beat asks of this app. Thin: each calls one function."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from exceptions import breaches


@shared_task(name="exceptions.watch_clocks")
def watch_clocks() -> None:
    """Escalate tickets whose clock ran out."""
    breaches.watch(timezone.now())
