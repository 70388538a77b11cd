"""Addresses below /api/v1/ of comparisons and what they found."""

from django.urls import path

from reconciliation import api

urlpatterns = [
    path("reconciliation/runs/", api.ReconciliationList.as_view(), name="api-reconciliation-runs"),
    path("reconciliation/runs/<slug:public_id>/", api.ReconciliationShow.as_view(), name="api-reconciliation-run"),
    path("reconciliation/discrepancies/", api.DiscrepancyList.as_view(), name="api-discrepancies"),
    path("reconciliation/discrepancies/<slug:public_id>/", api.DiscrepancyShow.as_view(), name="api-discrepancy"),
    path(
        "reconciliation/discrepancies/<slug:public_id>/recheck/",
        api.DiscrepancyRecheck.as_view(),
        name="api-discrepancy-recheck",
    ),
]
