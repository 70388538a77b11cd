"""A worker keeps its small pool of database connections from one task to the next. Each task begins with none and gives back what it used.

Celery's own care for Django closes the whole pool around every task; settings switch that off (CELERY_DB_REUSE_MAX). The pool checks a connection
before it hands it out, so one that broke meanwhile is replaced.
"""

from __future__ import annotations

from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db import connections


def give_back() -> None:
    """Return this thread's connections to the pool. What a task left uncommitted is rolled back."""
    for connection in connections.all(initialized_only=True):
        connection.close()


@task_prerun.connect  # type: ignore[untyped-decorator]
def _before(task: Any, **_: Any) -> None:
    if not task.request.is_eager:  # an eager task uses its caller's
        give_back()


@task_postrun.connect  # type: ignore[untyped-decorator]
def _after(task: Any, **_: Any) -> None:
    if not task.request.is_eager:
        give_back()
