"""Pages of the queue, of tickets and of approvals."""

from django.urls import path

from exceptions import views_approvals, views_bulk, views_fix, views_queue, views_replay, views_ticket

urlpatterns = [
    path("queue/", views_queue.queue, name="queue"),
    path("queue/export.csv", views_queue.queue_csv, name="queue-csv"),
    path("queue/replay/", views_replay.replay, name="queue-replay"),
    path("queue/bulk/", views_queue.choose, name="queue-choose"),
    path("queue/bulk/<slug:public_id>/", views_bulk.job, name="queue-bulk"),
    path("queue/bulk/<slug:public_id>/again/", views_bulk.again, name="bulk-again"),
    path("tickets/<slug:public_id>/", views_ticket.ticket, name="ticket"),
    path("tickets/<slug:public_id>/news/", views_ticket.news, name="ticket-news"),
    path("tickets/<slug:public_id>/fix/", views_fix.fix, name="ticket-fix"),
    path("tickets/<slug:public_id>/comment/", views_ticket.comment, name="ticket-comment"),
    path("tickets/<slug:public_id>/<slug:name>/", views_ticket.act, name="ticket-act"),
    path("approvals/", views_approvals.approvals, name="approvals"),
    path("approvals/bulk/", views_approvals.choose, name="approvals-choose"),
    path("approvals/bulk/<slug:public_id>/", views_bulk.job, name="approvals-bulk"),
    path("approvals/<slug:public_id>/", views_approvals.approval, name="approval"),
]
