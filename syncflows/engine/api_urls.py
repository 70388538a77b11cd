"""Addresses below /api/v1/ of what arrived and what was made of it."""

from django.urls import path

from syncflows.engine import api_arrivals, api_events, api_runs, api_trace

urlpatterns = [
    path("events/", api_events.Events.as_view(), name="api-events"),
    path("events/<slug:public_id>/", api_arrivals.EventShow.as_view(), name="api-event"),
    path("runs/", api_runs.RunList.as_view(), name="api-runs"),
    path("runs/<slug:public_id>/", api_runs.RunShow.as_view(), name="api-run"),
    path("runs/<slug:public_id>/lineage/", api_runs.RunLineage.as_view(), name="api-run-lineage"),
    path("trace/", api_trace.TraceFind.as_view(), name="api-trace"),
]
