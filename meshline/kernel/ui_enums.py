"""Words the components are told apart by; must not hold business states (each app has its own enums)."""

from __future__ import annotations

from enum import StrEnum


class ClockState(StrEnum):
    OK = "ok"
    WARN = "warn"
    BREACHED = "breached"
    PAUSED = "paused"
    MET = "met"


class Tone(StrEnum):
    """A colour by its meaning in the style sheet (`.tone-<value>`); each passes 4.5:1 in light and dark."""

    NEUTRAL = "neutral"
    BLUE = "blue"
    CYAN = "cyan"
    TEAL = "teal"
    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    PINK = "pink"
    PURPLE = "purple"
    INDIGO = "indigo"
