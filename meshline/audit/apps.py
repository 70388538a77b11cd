from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "meshline.audit"
    label = "audit"

    def ready(self) -> None:
        from meshline.audit import ledger
        from meshline.kernel import transitions

        transitions.record_with(ledger.record_move)
