"""Registers what the engine's hooks call. Called once at start; must not touch the database."""

from __future__ import annotations

from exceptions import endings, opening, selectors, ticket_metrics
from meshline.kernel import metrics
from syncflows import hooks
from syncflows.hooks import Failure


def register() -> None:
    """Failures open tickets; runs that ended close them; a system that is down has one."""
    hooks.on_failure(open_tickets)
    hooks.on_run_ended(endings.close_of_runs)
    hooks.on_system_state(endings.follow_system)
    hooks.on_month_leaving(selectors.live_between)
    metrics.register("tickets", ticket_metrics.open_tickets)


def open_tickets(failures: list[Failure]) -> None:
    """A hook answers nothing."""
    opening.open_all(failures)
