"""Can this installation work: database, schema, broker, workers. Each check answers in seconds and never raises."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from meshline.kernel import counters, workers
from syncflows.engine import intake_figures
from syncflows.engine.limits import meter

WORKER_SEEN_WITHIN_S = 60.0


@dataclass(frozen=True)
class Check:
    """`detail` a sentence."""

    ok: bool
    detail: str


def checks() -> dict[str, Check]:
    """Every check by name. What cannot be told without a part that is missing is not asked."""
    database, broker = _database(), _broker()
    return {
        "database": database,
        "migrations": _migrations() if database.ok else Check(False, "Cannot be told without the database."),
        "broker": broker,
        "limits": _limits(broker),
        "doors": _doors(),
        "workers": _workers() if broker.ok else Check(False, "Cannot be told without the broker."),
    }


def as_json(found: dict[str, Check]) -> dict[str, Any]:
    return {
        "ready": all(check.ok for check in found.values()),
        "checks": {name: asdict(check) for name, check in found.items()},
    }


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return Check(
            False, f"The database does not answer ({type(error).__name__}). Check DATABASE_URL and the server."
        )
    return Check(True, "PostgreSQL answers.")


def _migrations() -> Check:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return Check(False, "Cannot be told without the database.")
    if missing:
        return Check(
            False, f"{len(missing)} migrations are not applied, first {missing[0][0]}. Run `manage.py migrate`."
        )
    return Check(True, "All migrations are applied.")


def _broker() -> Check:
    try:
        counters.client().ping()
    except redis.RedisError as error:
        return Check(
            False,
            f"The broker does not answer ({type(error).__name__}). Check REDIS_URL. Events are still accepted; work waits for the sweeper.",
        )
    return Check(True, "The broker answers.")


def _limits(broker: Check) -> Check:
    """Their loss makes nothing unready: calls go on, each worker with its part."""
    if broker.ok:
        return Check(True, "Limits of systems are shared by all workers.")
    return Check(
        True, f"Without the broker each worker keeps to one part in {meter.sharing()} of every system's limits; circuits go by the database."
    )  # fmt: skip


def _doors() -> Check:
    """Never a reason not to be ready: whoever is sent away comes back, and what is taken in is kept."""
    return Check(True, intake_figures.sentence())


def _workers() -> Check:
    try:
        found = workers.recent(within_s=WORKER_SEEN_WITHIN_S)
    except redis.RedisError:
        return Check(False, "Cannot be told without the broker.")
    if not found:
        return Check(
            False,
            f"No worker has reported in {WORKER_SEEN_WITHIN_S:.0f} s. Start one: celery -A meshline.celery worker.",
        )
    return Check(True, f"{len(found)} worker(s) reported in the last {WORKER_SEEN_WITHIN_S:.0f} s.")
