"""Addresses of the soft ledger below /api/v1/."""

from django.urls import path

from syncflows.engine.soft import api

urlpatterns = [
    path("staged-documents/", api.StagedList.as_view(), name="api-staged"),
    path("staged-documents/bulk/", api.StagedBulkStart.as_view(), name="api-staged-bulk"),
    path("staged-documents/bulk/<slug:public_id>/", api.StagedBulkShow.as_view(), name="api-staged-bulk-show"),
    path("staged-documents/bulk/<slug:public_id>/results/", api.StagedBulkResults.as_view(), name="api-staged-results"),
    path("staged-documents/bulk/<slug:public_id>/cancel/", api.StagedBulkCancel.as_view(), name="api-staged-cancel"),
    path("staged-documents/<slug:public_id>/", api.StagedShow.as_view(), name="api-staged-show"),
    path("staged-documents/<slug:public_id>/promote/", api.StagedPromote.as_view(), name="api-staged-promote"),
    path("staged-documents/<slug:public_id>/adopt/", api.StagedAdopt.as_view(), name="api-staged-adopt"),
    path("staged-documents/<slug:public_id>/approve/", api.StagedApprove.as_view(), name="api-staged-approve"),
    path("staged-documents/<slug:public_id>/revoke/", api.StagedRevoke.as_view(), name="api-staged-revoke"),
    path("staged-documents/<slug:public_id>/compare/", api.StagedCompare.as_view(), name="api-staged-compare"),
    path("staged-imports/", api.StagedImportList.as_view(), name="api-staged-imports"),
]
