from __future__ import annotations

import pytest

from meshline.kernel.clock_readings import read_clock
from meshline.kernel.ui_enums import ClockState


@pytest.mark.parametrize(
    ("used_s", "more", "state", "words"),
    [
        (0, {}, ClockState.OK, "4 h left"),
        (10799, {}, ClockState.OK, "1 h left"),
        (10800, {}, ClockState.WARN, "1 h left"),
        (14400, {}, ClockState.WARN, "0 s left"),
        (14401, {}, ClockState.BREACHED, "breached, 1 s over"),
        (3600, {"paused_for": "waiting on customer"}, ClockState.PAUSED, "paused: waiting on customer"),
        (15000, {"paused_for": "waiting on customer"}, ClockState.BREACHED, "breached, 10 min over"),
        (3600, {"met": True}, ClockState.MET, "met, 3 h to spare"),
        (14460, {"met": True}, ClockState.MET, "done, 1 min late"),
    ],
)
def test_read_clock_says_what_is_left_and_why(used_s, more, state, words):
    reading = read_clock(target_s=14400, used_s=used_s, **more)
    assert (reading.state, reading.words) == (state, words)
    assert 0 <= reading.used_share <= 1


def test_read_clock_refuses_a_target_of_nothing():
    with pytest.raises(ValueError, match="target above 0"):
        read_clock(target_s=0, used_s=1)
