"""One row an event, written when it is done."""

from __future__ import annotations

from django.db import models


class LogRow(models.Model):
    deal = models.CharField(max_length=200)
    status = models.IntegerField()
    number = models.CharField(max_length=60)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "script"
        db_table = "script_log"
