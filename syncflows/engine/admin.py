"""The engine's rows, to look at. Nothing here can be changed: runs are released, replayed and closed on their tickets."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from meshline.kernel.admin import ReadOnly
from syncflows.engine.models import CanonicalRecord, CrosswalkEntry, Event, Run, SourceFile, Step, WriteAttempt


class LargeTable(ReadOnly, ModelAdmin):
    """No count of all rows: it would take longer the more there are."""

    show_full_result_count = False
    list_per_page = 50
    ordering: tuple[str, ...] = ("-id",)


class StepInline(ReadOnly, TabularInline):
    model = Step
    fields = readonly_fields = ("index", "name", "system", "operation", "status", "reference", "external_id", "done_at")
    extra = 0


class AttemptInline(ReadOnly, TabularInline):
    model = WriteAttempt
    fields = readonly_fields = ("number", "status", "intended_at", "sent_at", "answered_at", "error_code", "error")
    extra = 0


@admin.register(Event)
class EventAdmin(LargeTable):
    list_display = ("public_id", "source", "type", "status", "canonical_key", "received_at")
    list_filter = ("status",)
    search_fields = ("public_id__exact",)
    search_help_text = "Exact id; by key or correlation id, search the console"


@admin.register(Run)
class RunAdmin(LargeTable):
    list_display = ("public_id", "flow", "status", "canonical_key", "customer", "amount", "currency", "created_at")
    list_filter = ("status",)
    search_fields = ("public_id__exact",)
    search_help_text = "Exact id; by key or correlation id, search the console"
    raw_id_fields: Any = ("event", "flow_version")
    inlines = (StepInline,)


@admin.register(Step)
class StepAdmin(LargeTable):
    list_display = ("run", "name", "system", "operation", "status", "reference", "external_id")
    list_filter = ("status",)
    search_fields = ("idempotency_key__exact",)
    search_help_text = "Exact idempotency key; by external id, search the console"
    list_select_related = ("run",)
    inlines = (AttemptInline,)


@admin.register(CanonicalRecord)
class CanonicalRecordAdmin(LargeTable):
    list_display = ("object", "key", "flow", "amount", "currency", "business_date", "delivered_at")
    search_fields = ("key__exact",)
    search_help_text = "Exact key"


@admin.register(CrosswalkEntry)
class CrosswalkEntryAdmin(LargeTable):
    list_display = ("entity", "system", "value", "key", "origin", "created_by", "created_at")
    list_filter = ("origin",)
    search_fields = ("value__exact", "key__exact")
    search_help_text = "Exact value or key"


@admin.register(SourceFile)
class SourceFileAdmin(LargeTable):
    list_display = ("source", "name", "position", "finished_at", "updated_at")
