"""Which colour a status or class is shown in; must not decide anything but looks.

Every app may add its own words with `register_tones`; the same word means the same colour on every page.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshline.kernel.ui_enums import Tone

_TONES: dict[str, Tone] = {
    # exception classes
    "transient": Tone.CYAN, "outage": Tone.RED, "data_quality": Tone.YELLOW, "identity": Tone.BLUE,
    "policy": Tone.PURPLE, "duplicate": Tone.PINK, "partial": Tone.ORANGE, "drift": Tone.INDIGO,
    "silence": Tone.RED, "accounting": Tone.TEAL, "internal": Tone.RED,
    # going well
    "done": Tone.GREEN, "completed": Tone.GREEN, "succeeded": Tone.GREEN, "acknowledged": Tone.GREEN,
    "approved": Tone.GREEN, "granted": Tone.GREEN, "resolved": Tone.GREEN, "matched": Tone.GREEN,
    "active": Tone.GREEN, "live": Tone.GREEN, "healthy": Tone.GREEN, "closed": Tone.NEUTRAL,
    # under way
    "open": Tone.BLUE, "assigned": Tone.BLUE, "running": Tone.BLUE, "in_progress": Tone.BLUE,
    "queued": Tone.NEUTRAL, "due": Tone.NEUTRAL, "pending": Tone.YELLOW, "waiting": Tone.YELLOW,
    "held": Tone.YELLOW, "retrying": Tone.CYAN, "intended": Tone.NEUTRAL, "sent": Tone.CYAN,
    "canary": Tone.PURPLE, "draft": Tone.NEUTRAL, "half_open": Tone.YELLOW,
    # ended otherwise
    "failed": Tone.RED, "errored": Tone.RED, "rejected": Tone.RED, "refused": Tone.RED, "breached": Tone.RED,
    "unknown": Tone.ORANGE, "quarantined": Tone.ORANGE, "ticketed": Tone.ORANGE, "differs": Tone.ORANGE,
    "missing_in_target": Tone.RED, "missing_in_source": Tone.ORANGE,
    "ignored": Tone.NEUTRAL, "superseded": Tone.NEUTRAL, "cancelled": Tone.NEUTRAL, "compensated": Tone.NEUTRAL, "compensating": Tone.YELLOW, "skipped": Tone.NEUTRAL,
    # systems
    "up": Tone.GREEN, "degraded": Tone.YELLOW, "down": Tone.RED, "paused": Tone.PURPLE,
    "not_sent": Tone.NEUTRAL, "planned": Tone.NEUTRAL, "accepted": Tone.GREEN, "unrouted": Tone.NEUTRAL, "released": Tone.BLUE, "retired": Tone.NEUTRAL,
    # the soft ledger
    "staged": Tone.BLUE, "promoting": Tone.CYAN, "promoted": Tone.GREEN, "revoked": Tone.NEUTRAL, "missing": Tone.YELLOW, "found": Tone.TEAL,
    "by_hand": Tone.NEUTRAL, "shut": Tone.ORANGE,
    # severities
    "soft": Tone.YELLOW, "hard": Tone.RED,
}  # fmt: skip


def register_tones(tones: Mapping[str, Tone]) -> None:
    """Add an app's words. Raises ValueError when a word already has another colour. Idempotent: on the word."""
    for word, tone in tones.items():
        known = _TONES.setdefault(str(word), tone)
        if known != tone:
            raise ValueError(f"{word!r} is already shown in {known.value}, not {tone.value}: one word, one colour")


def tone_for(word: str) -> Tone:
    return _TONES.get(str(word), Tone.NEUTRAL)
