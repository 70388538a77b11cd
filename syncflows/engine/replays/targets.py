"""What the targets hold now of the documents a replay would write: looked up by reference, side by side, within each system's limit.

Reads only, and no database in the threads that call. A target that does not answer is said of each record, and costs the preview nothing else.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from meshline.kernel.errors import MeshlineError
from ownership.enums import SystemState
from ownership.models import System
from syncflows.connectors.errors import NotFound, Outage
from syncflows.connectors.protocol import Answer, Connector
from syncflows.engine import connections
from syncflows.engine.limits import meter, policy
from syncflows.engine.limits.meter import Ask, Seen
from syncflows.engine.limits.policy import Policy
from syncflows.governance.catalog import Catalog
from syncflows.governance.enums import Kind

log = logging.getLogger(__name__)
AT_ONCE_MAX = 8
PATIENCE_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # between tries to get a slot
SHUT = (SystemState.DOWN, SystemState.PAUSED)


@dataclass(frozen=True)
class Question:
    """One document to look up. `operation` the one that would write it."""

    system: str
    operation: str
    reference: str


@dataclass(frozen=True)
class Held:
    """What the target has under the reference; `problem` why nobody could look."""

    answers: tuple[Answer, ...] = ()
    problem: str = ""


def look(questions: Sequence[Question], *, catalog: Catalog) -> dict[Question, Held]:
    """An answer for every question. Never raises."""
    by_system: dict[str, list[Question]] = defaultdict(list)
    for question in dict.fromkeys(questions):
        by_system[question.system].append(question)
    shut = {row.name: row for row in System.objects.filter(name__in=by_system, state__in=SHUT)}
    found: dict[Question, Held] = {}
    for name, asked in by_system.items():
        row = shut.get(name)
        if row is not None:
            problem = f"{name} was not asked: {row.get_state_display().lower()}. {row.state_reason}".strip()
            found |= dict.fromkeys(asked, Held(problem=problem))
        else:
            found |= _of_system(name, asked, catalog)
    return found


def _of_system(name: str, asked: Sequence[Question], catalog: Catalog) -> dict[Question, Held]:
    try:
        system = catalog.get(Kind.SYSTEM, name)
        connector = connections.connection(system)
    except MeshlineError as error:
        return dict.fromkeys(asked, Held(problem=error.message))
    down: list[str] = []  # one outage speaks for the rest: a dead target must not cost a time-out for every record
    with _slots(policy.of(system), want=min(AT_ONCE_MAX, len(asked))) as (slots, problem):
        if not slots:
            return dict.fromkeys(asked, Held(problem=problem))
        with ThreadPoolExecutor(max_workers=slots) as threads:
            return dict(zip(asked, threads.map(_asking(connector, down), asked), strict=True))


@contextmanager
def _slots(rules: Policy, *, want: int) -> Iterator[tuple[int, str]]:
    """How many calls at once all workers together leave us, and why none. The rate is kept by the connector, request by request."""
    ask = Ask(rules, rules.concurrency, want, [])
    for wait_s in PATIENCE_S:
        [grant] = meter.admit([ask])
        if grant.slots or grant.quiet_s:
            break
        time.sleep(wait_s)
    said = "it asked us to wait" if grant.quiet_s else "as many calls as it may take are under way"
    try:
        yield grant.slots, "" if grant.slots else f"{rules.system} was not asked: {said}. Preview it again later."
    finally:
        meter.heard([Seen(grant, rules, {})])


def _asking(connector: Connector, down: list[str]) -> Callable[[Question], Held]:
    def ask(question: Question) -> Held:
        if down:
            return Held(problem=f"{question.system} was not asked again: {down[0]}")
        try:
            return Held(tuple(connector.find(question.operation, reference=question.reference)))
        except NotFound:
            return Held()
        except MeshlineError as error:
            if isinstance(error, Outage):
                down.append(error.message)
            return Held(problem=error.message)
        except Exception as error:
            log.exception("looking %s up in %s", question.reference, question.system)
            return Held(problem=f"The look-up failed unexpectedly: {type(error).__name__}.")

    return ask
