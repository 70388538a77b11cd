from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    name = "syncflows.governance"
    label = "governance"
