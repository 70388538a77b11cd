"""The script as a Django application."""

from __future__ import annotations

from django.apps import AppConfig


class ScriptConfig(AppConfig):
    name = "bench.contenders.script"
    label = "script"
