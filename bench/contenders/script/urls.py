"""The webhook, and a probe."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bench.contenders.script.tasks import write_order

webhook = Webhook(os.environ["BENCH_WEBHOOK_SECRET"])


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    try:
        event = webhook.verify(request.body, {name.lower(): value for name, value in request.headers.items()})
    except WebhookVerificationError:
        return JsonResponse({"error": "bad signature"}, status=401)
    write_order.delay(event["data"])
    return JsonResponse({"accepted": True}, status=202)


def alive(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"alive": True})


urlpatterns = [path("ingest/crm/", receive), path("healthz", alive)]
