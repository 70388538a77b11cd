"""Addresses that other systems call by their own conventions."""

from django.urls import path

from syncflows.engine.views_webhooks import SystemWebhook

urlpatterns = [path("ingest/<slug:system>/", SystemWebhook.as_view(), name="webhook")]
