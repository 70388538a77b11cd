"""The ledger's rows. No foreign keys: an act outlives what it was done to."""

from django.db import models


class AuditEvent(models.Model):
    """One act by a person, a token or a part of Meshline. Written by `audit.ledger.append` only, in the transaction of the act; never changed
    (a trigger refuses UPDATE and DELETE).

    Invariant: `hash` = SHA-256 over the row's content and `previous_hash`, the hash of the row with the next lower `number`.
    """

    number = models.BigIntegerField(unique=True, help_text="position in the chain, from 1, without gaps")
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor = models.CharField(max_length=80, db_index=True, help_text="public id or part name")
    actor_label = models.CharField(max_length=200)
    act = models.CharField(max_length=60, help_text="noun.verb, for example ticket.assigned")
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80)
    reason = models.TextField(blank=True)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["object_kind", "object_id", "number"], name="audit_of_object")
        ]  # reader: history on detail pages
