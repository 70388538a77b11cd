"""Rare administration: look at comparisons and discrepancies. Services write."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from exceptions.admin import ReadOnly
from reconciliation.models import Discrepancy, ReconciliationRun


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "public_id",
        "flow",
        "system",
        "status",
        "window_from",
        "window_to",
        "compared",
        "matched",
        "tickets",
        "started_at",
    )
    list_filter = ("status", "flow")
    search_fields = ("public_id", "flow")
    ordering = ("-started_at",)
    show_full_result_count = False


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnly, ModelAdmin):
    list_display = ("public_id", "flow", "key", "kind", "status", "amount", "currency", "opened_at")
    list_filter = ("status", "kind", "flow")
    search_fields = ("public_id", "key")
    list_select_related = ("ticket",)
    ordering = ("-pk",)
    show_full_result_count = False
