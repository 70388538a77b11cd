from django.apps import AppConfig

from meshline.kernel import metrics


class EngineConfig(AppConfig):
    name = "syncflows.engine"
    label = "engine"

    def ready(self) -> None:
        from syncflows.connectors import pacing
        from syncflows.engine import metrics as numbers  # models exist only now
        from syncflows.engine.limits import meter

        metrics.register("door", numbers.door)
        metrics.register("runs", numbers.runs)
        pacing.share_with(meter.take)
