"""What a clock shows: state, share used, and words; pure. Must not count business time (ownership does)."""

from __future__ import annotations

from dataclasses import dataclass

from meshline.kernel.formatting import duration_text
from meshline.kernel.ui_enums import ClockState

WARN_FROM_SHARE = 0.75


@dataclass(frozen=True)
class ClockReading:
    state: ClockState
    used_share: float  # 0 to 1; the bar shows the rest
    words: str
    left_s: int  # negative once breached


def read_clock(*, target_s: int, used_s: int, paused_for: str = "", met: bool = False) -> ClockReading:
    """The reading of a clock of `target_s` of which `used_s` (both in the clock's own time) have run.

    Raises ValueError for a target that is not positive.
    """
    if target_s <= 0:
        raise ValueError(f"a clock needs a target above 0 s, not {target_s}")
    left_s = target_s - used_s
    share = min(1.0, max(0.0, used_s / target_s))
    state = choose_state(left_s=left_s, share=share, paused=bool(paused_for), met=met)
    return ClockReading(state=state, used_share=share, words=choose_words(state, left_s, paused_for), left_s=left_s)


def choose_state(*, left_s: int, share: float, paused: bool, met: bool) -> ClockState:
    if met:
        return ClockState.MET
    if left_s < 0:
        return ClockState.BREACHED
    if paused:
        return ClockState.PAUSED
    return ClockState.WARN if share >= WARN_FROM_SHARE else ClockState.OK


def choose_words(state: ClockState, left_s: int, paused_for: str) -> str:
    span = duration_text(left_s)
    if state == ClockState.MET:
        return f"met, {span} to spare" if left_s >= 0 else f"done, {span} late"
    if state == ClockState.BREACHED:
        return f"breached, {span} over"
    return f"paused: {paused_for}" if state == ClockState.PAUSED else f"{span} left"
