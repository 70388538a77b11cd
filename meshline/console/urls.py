"""Overview, log-in, global search, health."""

from django.contrib.auth import views as auth_views
from django.urls import path

from meshline.console.views_styleguide import styleguide

urlpatterns = [
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("styleguide/", styleguide, name="styleguide"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
]
