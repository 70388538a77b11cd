"""Rare administration: look at tickets and approvals with their history. Statuses are moved on the pages, never here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline

from exceptions.models import Approval, Ticket, TicketEntry


class ReadOnly:
    """Everything can be read and nothing changed: services write, with audit."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EntryInline(ReadOnly, TabularInline):
    model = TicketEntry
    fields = readonly_fields = ("at", "kind", "actor", "text")
    extra = 0


@admin.register(Ticket)
class TicketAdmin(ReadOnly, SimpleHistoryAdmin, ModelAdmin):
    list_display = (
        "public_id",
        "status",
        "exception_class",
        "reason",
        "queue",
        "owner",
        "amount",
        "currency",
        "due_at",
    )
    list_filter = ("status", "exception_class", "severity", "queue")
    search_fields = ("public_id", "canonical_key", "customer", "correlation_id")
    list_select_related = ("queue", "owner")
    ordering = ("-opened_at",)
    show_full_result_count = False
    inlines = (EntryInline,)


@admin.register(Approval)
class ApprovalAdmin(ReadOnly, SimpleHistoryAdmin, ModelAdmin):
    list_display = (
        "public_id",
        "status",
        "policy",
        "rule",
        "requester",
        "team",
        "amount",
        "currency",
        "decided_by",
        "decided_at",
    )
    list_filter = ("status", "policy", "team")
    search_fields = ("public_id", "requester", "customer")
    list_select_related = ("team", "decided_by")
    ordering = ("-asked_at",)
    show_full_result_count = False
