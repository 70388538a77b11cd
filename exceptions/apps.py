from django.apps import AppConfig


class ExceptionsConfig(AppConfig):
    name = "exceptions"

    def ready(self) -> None:
        from exceptions import wiring

        wiring.register()
