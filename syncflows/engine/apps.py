from django.apps import AppConfig


class EngineConfig(AppConfig):
    name = "syncflows.engine"
    label = "engine"
