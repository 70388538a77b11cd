from django.apps import AppConfig

from meshline.kernel import metrics, tones
from meshline.kernel.navigation import register_badge
from meshline.kernel.ui_enums import Tone


class EngineConfig(AppConfig):
    name = "syncflows.engine"
    label = "engine"

    def ready(self) -> None:
        from syncflows.connectors import pacing
        from syncflows.engine import metrics as numbers  # models exist only now
        from syncflows.engine.limits import meter
        from syncflows.engine.soft import badges

        tones.register_tones(
            {"would_create": Tone.BLUE, "would_update": Tone.INDIGO, "nothing_to_do": Tone.NEUTRAL, "would_be_held": Tone.YELLOW, "would_fail": Tone.RED,
             "previewing": Tone.CYAN, "previewed": Tone.BLUE, "under_way": Tone.CYAN, "changed": Tone.ORANGE}
        )  # fmt: skip
        register_badge("staged", badges.of_staged)
        metrics.register("door", numbers.door)
        metrics.register("intake", numbers.intake)
        metrics.register("runs", numbers.runs)
        metrics.register("systems", numbers.systems)
        pacing.share_with(meter.take)
