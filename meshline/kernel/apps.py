from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "meshline.kernel"
    label = "kernel"
