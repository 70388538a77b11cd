"""What a team would write in an afternoon: for each event store it, commit, POST the order, store what was answered, commit. One at a time.

It keeps its connections open and does nothing for safety: no retry, no look-up, no order, no policy, no trail beyond a log row.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import httpx
import psycopg

from bench import contest, deals

SCHEMA = """
CREATE TABLE IF NOT EXISTS script_event (id bigserial PRIMARY KEY, deal text NOT NULL, payload jsonb NOT NULL, received_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS script_log (id bigserial PRIMARY KEY, deal text NOT NULL, status int NOT NULL, number text NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""


def carry(connection: psycopg.Connection, client: httpx.Client, deal: dict[str, Any]) -> None:
    """One event to its order."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO script_event (deal, payload) VALUES (%s, %s)", [deal["deal_id"], json.dumps(deal)]
        )
    answer = client.post("/orders", json=deals.order(deal))
    answer.raise_for_status()
    values = [deal["deal_id"], answer.status_code, answer.json()["number"]]
    with connection.transaction():
        connection.execute("INSERT INTO script_log (deal, status, number) VALUES (%s, %s, %s)", values)


def main() -> None:
    prefix, count = sys.argv[1], int(sys.argv[2])
    with (
        psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection,
        httpx.Client(base_url=os.environ["BENCH_ERP_URL"], trust_env=False, timeout=10) as client,
    ):
        connection.execute(SCHEMA)

        def run(prefix: str, count: int) -> int:
            for number, reference in enumerate(deals.references(prefix, count)):
                carry(connection, client, deals.payload(reference, number))
            return count

        contest.serve(lambda: run(f"w{prefix}", deals.WARM_UP), lambda: run(prefix, count))


if __name__ == "__main__":
    main()
