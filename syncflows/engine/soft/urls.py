"""Pages of the soft ledger."""

from django.urls import path

from syncflows.engine.soft import views, views_bulk

urlpatterns = [
    path("staged/", views.staged, name="staged"),
    path("staged/imports/", views.imports, name="staged-imports"),
    path("staged/bulk/", views_bulk.choose, name="staged-choose"),
    path("staged/bulk/<slug:public_id>/", views_bulk.act, name="staged-bulk"),
    path("staged/bulk/<slug:public_id>/cancel/", views_bulk.cancel, name="staged-bulk-cancel"),
    path("staged/bulk/<slug:public_id>/again/", views_bulk.again, name="staged-bulk-again"),
    path("staged/<slug:public_id>/", views.document, name="staged-document"),
    path("staged/<slug:public_id>/compare/", views.compare, name="staged-compare"),
]
