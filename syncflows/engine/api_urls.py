"""Addresses below /api/v1/ of what arrived and what was made of it."""

from django.urls import include, path

from syncflows.engine import api_arrivals, api_events, api_runs, api_systems, api_trace
from syncflows.engine.control import api
from syncflows.engine.replays import api as replays

urlpatterns = [
    path("events/", api_events.Events.as_view(), name="api-events"),
    path("events/<slug:public_id>/", api_arrivals.EventShow.as_view(), name="api-event"),
    path("runs/", api_runs.RunList.as_view(), name="api-runs"),
    path("flows/<slug:name>/route-unrouted/", api.FlowRouteUnrouted.as_view(), name="api-flow-route-unrouted"),
    path("runs/bulk/", api.RunBulkStart.as_view(), name="api-runs-bulk"),
    path("runs/bulk/<slug:public_id>/", api.RunBulkShow.as_view(), name="api-run-bulk"),
    path("runs/bulk/<slug:public_id>/cancel/", api.RunBulkCancel.as_view(), name="api-run-bulk-cancel"),
    path("runs/<slug:public_id>/", api_runs.RunShow.as_view(), name="api-run"),
    path("runs/<slug:public_id>/repair/", api_runs.RunRepair.as_view(), name="api-run-repair"),
    path("runs/<slug:public_id>/compensate/", api_runs.RunCompensate.as_view(), name="api-run-compensate"),
    path("runs/<slug:public_id>/lineage/", api_runs.RunLineage.as_view(), name="api-run-lineage"),
    path("runs/<slug:public_id>/retry-now/", api.RunRetryNow.as_view(), name="api-run-retry-now"),
    path("runs/<slug:public_id>/pause/", api.RunPause.as_view(), name="api-run-pause"),
    path("runs/<slug:public_id>/resume/", api.RunResume.as_view(), name="api-run-resume"),
    path("runs/<slug:public_id>/skip/", api.RunSkip.as_view(), name="api-run-skip"),
    path("runs/<slug:public_id>/give-up/", api.RunGiveUp.as_view(), name="api-run-give-up"),
    path("", include("syncflows.engine.soft.api_urls")),
    path("systems/<slug:name>/", api_systems.SystemShow.as_view(), name="api-system"),
    path("systems/<slug:name>/acts/", api_systems.SystemActs.as_view(), name="api-system-acts"),
    path("systems/<slug:name>/circuit/", api_systems.CircuitChanges.as_view(), name="api-system-circuit"),
    path("replays/", replays.Replays.as_view(), name="api-replays"),
    path("replays/<slug:public_id>/", replays.ReplayShow.as_view(), name="api-replay"),
    path("replays/<slug:public_id>/records/", replays.ReplayRecords.as_view(), name="api-replay-records"),
    path("replays/<slug:public_id>/start/", replays.ReplayStart.as_view(), name="api-replay-start"),
    path("replays/<slug:public_id>/pause/", replays.ReplayPause.as_view(), name="api-replay-pause"),
    path("replays/<slug:public_id>/resume/", replays.ReplayResume.as_view(), name="api-replay-resume"),
    path("replays/<slug:public_id>/cancel/", replays.ReplayCancel.as_view(), name="api-replay-cancel"),
    path("replays/<slug:public_id>/again/", replays.ReplayAgain.as_view(), name="api-replay-again"),
    path("trace/", api_trace.TraceFind.as_view(), name="api-trace"),
]
