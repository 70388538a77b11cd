"""For probes and Prometheus: alive, ready, numbers. No log-in: nothing here tells a secret or a record."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from meshline.console import readiness
from meshline.kernel.metrics import REGISTRY


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks nobody else."""
    return JsonResponse({"alive": True})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """503 while a part that work needs is missing; the answer says which, and what to do."""
    found = readiness.as_json(readiness.checks())
    return JsonResponse(found, status=200 if found["ready"] else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
