from django.apps import AppConfig

from meshline.kernel import metrics


class EngineConfig(AppConfig):
    name = "syncflows.engine"
    label = "engine"

    def ready(self) -> None:
        from syncflows.engine import metrics as numbers  # models exist only now

        metrics.register("door", numbers.door)
        metrics.register("runs", numbers.runs)
