"""Administration of people, teams, systems and owners, with history. Definitions write the same rows: what they govern is changed there, by apply."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from meshline.kernel.admin import ReadOnly
from ownership.models import ApiToken, FlowOwner, System, Team, User

# Rights come from roles (`ownership.permissions`), never from groups.
admin.site.unregister(Group)
DETAILS = ("first_name", "last_name", "email", "role", "time_zone")
ABSENCE = ("out_until", "delegate")


@admin.register(User)
class PersonAdmin(UserAdmin, SimpleHistoryAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "role", "is_active", "out_until", "last_login")
    list_filter = ("role", "is_active", "is_staff")
    search_fields = ("username", "first_name", "last_name", "email", "public_id")
    ordering = ("username",)
    autocomplete_fields = ("delegate",)
    readonly_fields = ("public_id", "last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "public_id")}),
        ("Who", {"fields": DETAILS}),
        ("Away", {"fields": ABSENCE}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "role", "usable_password", "password1", "password2")}),
    )


@admin.register(Team)
class TeamAdmin(SimpleHistoryAdmin, ModelAdmin):
    list_display = ("title", "name", "on_call", "mailbox")
    search_fields = ("title", "name")
    list_select_related = ("on_call",)
    autocomplete_fields = ("on_call", "members")


@admin.register(FlowOwner)
class FlowOwnerAdmin(SimpleHistoryAdmin, ModelAdmin):
    list_display = ("flow", "role", "person", "team", "fallback")
    list_filter = ("role",)
    search_fields = ("flow",)
    list_select_related = ("person", "team", "fallback")
    ordering = ("flow", "role")
    autocomplete_fields = ("person", "team", "fallback")


@admin.register(System)
class SystemAdmin(ReadOnly, SimpleHistoryAdmin, ModelAdmin):
    """Its definition and the engine write it; people pause and resume on its page."""

    list_display = ("title", "name", "state", "connector", "environment", "state_since", "last_ok_at")
    list_filter = ("state", "connector", "environment")
    search_fields = ("title", "name")
    ordering = ("title",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, ModelAdmin):
    """Made by `manage.py token create`. The digest is not shown."""

    list_display = ("public_id", "name", "user", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("public_id", "name")
    exclude = ("digest",)
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        return super().get_queryset(request).defer("digest")
