from django.apps import AppConfig


class ExceptionsConfig(AppConfig):
    name = "exceptions"

    def ready(self) -> None:
        from exceptions import badges, wiring
        from meshline.kernel.navigation import register_badge

        wiring.register()
        register_badge("queue", badges.of_queue)
        register_badge("approvals", badges.of_approvals)
