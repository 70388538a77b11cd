from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "meshline.console"
    label = "console"
