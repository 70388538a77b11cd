"""Pages of the engine: runs, trace, flows, systems."""

from django.urls import include, path

from syncflows.engine import views, views_flows, views_systems, views_unrouted
from syncflows.engine.control import views as control
from syncflows.engine.replays import views as replays

urlpatterns = [
    path("", include("syncflows.engine.soft.urls")),
    path("runs/", views.runs, name="runs"),
    path("runs/export.csv", views.runs_csv, name="runs-csv"),
    path("runs/bulk/", control.choose, name="runs-choose"),
    path("runs/bulk/<slug:public_id>/", control.job, name="runs-bulk"),
    path("runs/bulk/<slug:public_id>/again/", control.again, name="runs-bulk-again"),
    path("runs/bulk/<slug:public_id>/cancel/", control.cancel, name="runs-bulk-cancel"),
    path("runs/<slug:public_id>/<slug:name>/", control.act, name="run-act"),
    path("replays/", replays.replays, name="replays"),
    path("replays/new/", replays.new, name="replay-new"),
    path("replays/<slug:public_id>/", replays.replay, name="replay"),
    path("replays/<slug:public_id>/records.csv", replays.records_csv, name="replay-csv"),
    path("replays/<slug:public_id>/records/<slug:run_id>/", replays.record, name="replay-record"),
    path("replays/<slug:public_id>/<slug:name>/", replays.act, name="replay-act"),
    path("trace/", views.trace, name="trace"),
    path("trace/event/<str:public_id>/", views.trace_event, name="trace-event"),
    path("trace/<str:public_id>/", views.trace_record, name="trace-record"),
    path("flows/", views_flows.flows, name="flows"),
    path("flows/<slug:name>/", views_flows.flow, name="flow"),
    path("flows/<slug:name>/unrouted/", views_unrouted.unrouted, name="flow-unrouted"),
    path("systems/", views_systems.systems, name="systems"),
    path("systems/<slug:name>/", views_systems.system, name="system"),
    path("systems/<slug:name>/pause/", views_systems.act, {"what": "pause"}, name="system-pause"),
    path("systems/<slug:name>/resume/", views_systems.act, {"what": "resume"}, name="system-resume"),
    path("systems/<slug:name>/open/", views_systems.act, {"what": "open"}, name="system-open"),
    path("systems/<slug:name>/close/", views_systems.act, {"what": "close"}, name="system-close"),
    path("systems/<slug:name>/check/", views_systems.check, name="system-check"),
]
