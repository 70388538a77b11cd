"""Every address of the product. Each app brings its own pages (`urls.py`) and API (`api_urls.py`)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("meshline.console.urls")),
]
