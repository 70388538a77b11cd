from django.apps import AppConfig


class OwnershipConfig(AppConfig):
    name = "ownership"

    def ready(self) -> None:
        from ownership import api_schema  # noqa: F401 - drf-spectacular knows its extensions once they are imported
