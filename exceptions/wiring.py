"""Registers what the engine's hooks call. Called once at start."""


def register() -> None:
    """Filled in by the services of this app."""
