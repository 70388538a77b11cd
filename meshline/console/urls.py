"""Overview, log-in, global search, health."""

from django.contrib.auth import views as auth_views
from django.urls import path

from meshline.console import views, views_health
from meshline.console.views_styleguide import styleguide

urlpatterns = [
    path("", views.overview, name="overview"),
    path("ownership/", views.ownership, name="ownership"),
    path("ownership/matrix.csv", views.ownership_csv, name="ownership-csv"),
    path("profile/", views.profile, name="profile"),
    path(
        "profile/password/",
        auth_views.PasswordChangeView.as_view(template_name="console/password_change.html", success_url="/profile/"),
        name="password-change",
    ),
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("styleguide/", styleguide, name="styleguide"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("healthz", views_health.alive, name="healthz"),
    path("readyz", views_health.ready, name="readyz"),
    path("metrics", views_health.metrics, name="metrics"),
]
