"""The Celery application: workers, and the beat schedule whose jobs re-ring for whatever the rows say is due."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_process_init

# Their signal handlers report each worker's heartbeat to /readyz, and give connections back after each task.
from meshline.kernel import task_connections, workers  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
app = Celery("meshline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # expires: a sweep that waited longer than its own period is worthless, the next one does its work.
    "sweep": {"task": "engine.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "keep-partitions": {"task": "engine.keep_partitions", "schedule": 3600.0, "options": {"expires": 3600}},
    "archive-nightly": {"task": "engine.archive_months", "schedule": crontab(hour="3", minute="30")},
    "escalate": {"task": "exceptions.watch_clocks", "schedule": 60.0, "options": {"expires": 60}},
    "reconcile-nightly": {"task": "reconciliation.nightly", "schedule": crontab(hour="2", minute="0")},
}


@worker_process_init.connect
def _give_way(**_: Any) -> None:
    """The acknowledgement of an event comes before the carrying of those already taken: workers yield the processor to web processes."""
    from django.conf import settings

    os.nice(settings.MESHLINE_WORKER_NICE)
