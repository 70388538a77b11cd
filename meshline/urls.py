"""Every address of the product. Each app brings its own pages (`urls.py`) and API (`api_urls.py`)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("meshline.api_urls")),
    path("", include("meshline.console.urls")),
    path("", include("syncflows.engine.page_urls")),
    path("", include("exceptions.urls")),
    path("", include("reconciliation.urls")),
    path("", include("syncflows.engine.urls")),
]

handler400 = "meshline.console.views_errors.bad_request"
handler403 = "meshline.console.views_errors.permission_denied"
handler404 = "meshline.console.views_errors.page_not_found"
handler500 = "meshline.console.views_errors.server_error"
