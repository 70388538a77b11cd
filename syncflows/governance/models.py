"""Definitions and their immutable versions. Written by `governance.apply` only."""

from __future__ import annotations

from django.db import models

from syncflows.governance.enums import Kind, VersionState


class Definition(models.Model):
    """A named definition of one kind: its identity over all versions. Invariant: (kind, name) is unique."""

    kind = models.CharField(max_length=20, choices=Kind)
    name = models.SlugField(max_length=80)
    active = models.ForeignKey("DefinitionVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="one_definition_per_kind_and_name")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class DefinitionVersion(models.Model):
    """One immutable content of a definition. A trigger refuses changes of `document`, `number` and `fingerprint`.

    Invariants: numbers count up from 1 per definition; `fingerprint` is that of `document`; at most one version is active.
    """

    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField(help_text="the whole document: apiVersion, kind, metadata, spec")
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.ACTIVE)
    source = models.CharField(max_length=300, blank=True, help_text="file it came from, relative to the folder applied")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200)
    signed_by = models.JSONField(default=list, help_text="who signed it: usernames")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition", "number"], name="one_number_per_version"),
            models.UniqueConstraint(
                fields=["definition"], condition=models.Q(state="active"), name="one_active_version"
            ),
        ]

    @property
    def spec(self) -> dict:
        return self.document.get("spec", {})

    @property
    def title(self) -> str:
        return str(self.document.get("metadata", {}).get("title") or self.definition.name)
