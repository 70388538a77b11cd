"""A fuse before a part that may not answer: after a failure it is left alone for a moment, so that its time-outs are not paid by every caller."""

from __future__ import annotations

import time


class Fuse:
    """Blown for `rest_s` after each failure. Safe to share between threads."""

    def __init__(self, *, rest_s: float) -> None:
        self._rest_s = rest_s
        self._whole_at = 0.0

    def is_blown(self) -> bool:
        return time.monotonic() < self._whole_at

    def blow(self) -> None:
        self._whole_at = time.monotonic() + self._rest_s

    def mend(self) -> None:
        """The part answers again, as far as anybody knows."""
        self._whole_at = 0.0
