"""What the kernel stores: answers to unsafe API calls, so that a repeated call is answered and not repeated."""

from django.db import models


class IdempotencyRecord(models.Model):
    """One unsafe API call made with an `Idempotency-Key` (IETF draft httpapi-idempotency-key). Written by `kernel.idempotency` only.

    Invariant: (principal, key) is unique; `status` 0 means that the first call is still in flight.
    """

    principal = models.CharField(max_length=80, help_text="who called: token or person, by public id")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(
        max_length=64, help_text="of method, path and body: another body under the same key is refused"
    )
    status = models.PositiveSmallIntegerField(default=0, help_text="HTTP status answered; 0 while in flight")
    body = models.TextField(blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "key"], name="one_answer_per_key")]
