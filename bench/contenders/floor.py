"""The least that any program could do that stores before it sends: threads, one commit in, one POST, one commit out. No door, no promise kept, no trail.

`python -m bench.contenders.floor THREADS`; reads jobs as lines of JSON ({prefix, count}), answers each when its last commit is done.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from bench import deals

SCHEMA = "CREATE TABLE IF NOT EXISTS floor_event (id bigserial PRIMARY KEY, payload jsonb NOT NULL, number text)"
_own = threading.local()


def carry(number: int, reference: str) -> None:
    deal = deals.payload(reference, number)
    insert = "INSERT INTO floor_event (payload) VALUES (%s) RETURNING id"
    row = _own.connection.execute(insert, [json.dumps(deal)]).fetchone()
    answer = _own.client.post("/orders", json=deals.order(deal))
    answer.raise_for_status()
    _own.connection.execute("UPDATE floor_event SET number = %s WHERE id = %s", [answer.json()["number"], row[0]])


def _open() -> None:
    """Each thread keeps a connection of its own to both sides: a shared pool costs it a third of its speed."""
    _own.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    _own.client = httpx.Client(base_url=os.environ["BENCH_ERP_URL"], trust_env=False, timeout=10)


def main() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(SCHEMA)
    with ThreadPoolExecutor(int(sys.argv[1]), initializer=_open) as threads:
        for line in sys.stdin:
            job = json.loads(line)
            references = deals.references(job["prefix"], job["count"])
            done = list(threads.map(lambda pair: carry(*pair), enumerate(references)))
            print(json.dumps({"done": len(done)}), flush=True)


if __name__ == "__main__":
    main()
