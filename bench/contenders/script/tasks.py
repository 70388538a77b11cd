"""The Celery application and its one task."""

from __future__ import annotations

import os
from typing import Any

import requests
from celery import Celery

from bench import deals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.contenders.script.settings")
app = Celery("script")
app.config_from_object("django.conf:settings", namespace="CELERY")
session = requests.Session()
session.trust_env = False


@app.task
def write_order(deal: dict[str, Any]) -> None:
    from bench.contenders.script.models import LogRow

    answer = session.post(f"{os.environ['BENCH_ERP_URL']}/orders", json=deals.order(deal), timeout=10)
    answer.raise_for_status()
    LogRow.objects.create(deal=deal["deal_id"], status=answer.status_code, number=answer.json()["number"])
