"""Definitions and their versions, to look at. They change by `flows apply` only."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from meshline.kernel.admin import ReadOnly
from syncflows.governance.models import Definition, DefinitionVersion


class VersionInline(ReadOnly, TabularInline):
    model = DefinitionVersion
    fields = readonly_fields = ("number", "state", "created_at", "created_by", "signed_by", "source")
    extra = 0
    show_change_link = True
    ordering = ("-number",)


@admin.register(Definition)
class DefinitionAdmin(ReadOnly, ModelAdmin):
    list_display = ("kind", "name", "active_number", "created_at")
    list_filter = ("kind",)
    search_fields = ("name",)
    list_select_related = ("active",)
    ordering = ("kind", "name")
    inlines = (VersionInline,)

    @admin.display(description="version in force")
    def active_number(self, row: Definition) -> int | None:
        return row.active.number if row.active else None


@admin.register(DefinitionVersion)
class DefinitionVersionAdmin(ReadOnly, ModelAdmin):
    list_display = ("definition", "number", "state", "created_at", "created_by", "source")
    list_filter = ("state", "definition__kind")
    search_fields = ("definition__name",)
    list_select_related = ("definition",)
    ordering = ("-created_at",)
