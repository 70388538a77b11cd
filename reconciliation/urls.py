"""Pages of reconciliation."""

from django.urls import path

from reconciliation import views

urlpatterns = [
    path("reconciliation/", views.overview, name="reconciliation"),
    path("reconciliation/start/", views.start, name="reconciliation-start"),
    path("reconciliation/runs/<slug:public_id>/", views.run, name="reconciliation-run"),
    path("reconciliation/discrepancies/", views.discrepancies, name="discrepancies"),
    path("reconciliation/discrepancies/<slug:public_id>/", views.discrepancy, name="discrepancy"),
    path("reconciliation/discrepancies/<slug:public_id>/recheck/", views.recheck, name="discrepancy-recheck"),
]
