"""The least that any program could do that stores before it sends: eight threads, one commit in, one POST, one commit out. No promise kept, no trail."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
from psycopg_pool import ConnectionPool

from bench import contest, deals

THREADS = 8
SCHEMA = "CREATE TABLE IF NOT EXISTS floor_event (id bigserial PRIMARY KEY, payload jsonb NOT NULL, number text)"


def carry(pool: ConnectionPool[psycopg.Connection], client: httpx.Client, number: int, reference: str) -> None:
    deal = deals.payload(reference, number)
    with pool.connection() as connection:
        row = connection.execute(
            "INSERT INTO floor_event (payload) VALUES (%s) RETURNING id", [json.dumps(deal)]
        ).fetchone()
    assert row is not None
    answer = client.post("/orders", json=deals.order(deal))
    answer.raise_for_status()
    with pool.connection() as connection:
        connection.execute("UPDATE floor_event SET number = %s WHERE id = %s", [answer.json()["number"], row[0]])


def main() -> None:
    prefix, count = sys.argv[1], int(sys.argv[2])
    with (
        ConnectionPool(
            os.environ["DATABASE_URL"], min_size=THREADS, max_size=THREADS, kwargs={"autocommit": True}
        ) as pool,
        httpx.Client(base_url=os.environ["BENCH_ERP_URL"], trust_env=False, timeout=10) as client,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        with pool.connection() as connection:
            connection.execute(SCHEMA)

        def run(prefix: str, count: int) -> int:
            named = enumerate(deals.references(prefix, count))
            return len(list(threads.map(lambda pair: carry(pool, client, *pair), named)))

        contest.serve(lambda: run(f"w{prefix}", deals.WARM_UP), lambda: run(prefix, count))


if __name__ == "__main__":
    main()
