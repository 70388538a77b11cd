"""Words of the fault run's judge."""

from enum import StrEnum


class Fault(StrEnum):
    """What a promise broken would be called."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    OUT_OF_ORDER = "out_of_order"
    UNEXPLAINED = "unexplained"
