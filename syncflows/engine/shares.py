"""Whose runs a batch takes: weighted fair shares between flows, so that one flood starves nobody. Pure.

Priority is impact as a weight: each 100 points lower double a flow's share. What others look up (customers before their orders) goes first, but nobody
waits longer for that than the patience allows. Work-conserving: a share that its flow cannot use goes to the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

USUAL_PRIORITY = 100
DOUBLES_EVERY = 100
LEAST_WEIGHT = 1 / 32  # whatever its priority, a flow gets a place in a batch of usual size
BACKGROUND = 2_000  # staged imports: carried when nothing live is due


@dataclass(frozen=True)
class Queue:
    """The due runs of one flow and priority: `depth` of them, counted up to a batch; `waited_s` how long the first that could go has been due."""

    flow: str
    priority: int
    depth: int
    waited_s: float = 0.0


def divide(
    queues: Sequence[Queue], *, limit: int, masters: Mapping[str, Collection[str]], patience_s: float
) -> dict[Queue, int]:
    """How many each may take of a batch of `limit`. `masters`: flow to the flows whose records it looks up."""
    going = [queue for queue in queues if not _lets_go_first(queue, queues, masters, patience_s)]
    given = dict.fromkeys(going, 0)
    left = limit
    for queue in sorted(going, key=lambda queue: -queue.waited_s):
        if queue.waited_s >= patience_s and left:
            given[queue] += 1
            left -= 1
    turns = [(_turn(queue, given[queue]), place, queue) for place, queue in enumerate(_longest_first(going))]
    heapq.heapify(turns)
    while left and turns:
        _, place, queue = heapq.heappop(turns)
        if given[queue] < queue.depth:
            given[queue] += 1
            left -= 1
            heapq.heappush(turns, (_turn(queue, given[queue]), place, queue))
    return {queue: slots for queue, slots in given.items() if slots}


def weight(priority: int) -> float:
    """1 for the usual priority, 2 for one 100 points more urgent."""
    return float(max(LEAST_WEIGHT, 2.0 ** ((USUAL_PRIORITY - priority) / DOUBLES_EVERY)))


def _turn(queue: Queue, given: int) -> float:
    """When its next slot is due: weighted fair queueing by virtual finishing time."""
    return (given + 1) / weight(queue.priority)


def _longest_first(queues: Sequence[Queue]) -> list[Queue]:
    return sorted(queues, key=lambda queue: (-queue.waited_s, queue.flow, queue.priority))


def _lets_go_first(
    queue: Queue, queues: Sequence[Queue], masters: Mapping[str, Collection[str]], patience_s: float
) -> bool:
    """Whether it stands back for now: for what it looks up, if that is the more urgent; for live work, if it is an import."""
    if queue.waited_s >= patience_s:
        return False
    needed = masters.get(queue.flow, ())
    return any(
        (other.flow in needed and other.priority < queue.priority) or (queue.priority >= BACKGROUND > other.priority)
        for other in queues
    )
