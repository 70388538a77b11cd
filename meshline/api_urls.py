"""Everything below /api/v1/: each app brings its operations; here are the document that describes them and its browser."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from meshline.kernel.api.problem_pages import explain
from meshline.kernel.api.problems import unknown_address

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="api/docs.html"),
        name="api-docs",
    ),
    path("docs/problems/<slug:code>", explain, name="api-problem"),
    path("", include("syncflows.governance.api_urls")),
    path("", include("syncflows.engine.api_urls")),
    path("", include("exceptions.api_urls")),
    path("", include("reconciliation.api_urls")),
    re_path("", unknown_address),
]
