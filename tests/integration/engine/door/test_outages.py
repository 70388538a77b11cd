"""The doors while the database is down: a process of its own, told of a database that is not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[4]
ASK = """
import json
from concurrent.futures import ThreadPoolExecutor
import httpx
from meshline.wsgi import application

def ask(how):
    answer = httpx.Client(transport=httpx.WSGITransport(application), base_url="http://localhost").request(**how)
    return [answer.status_code, answer.headers.get("retry-after"), answer.headers["content-type"], answer.json()]

asked = [
    {"method": "POST", "url": "/api/v1/events/", "content": "{}", "headers": {"Authorization": "Bearer msh_x", "Content-Type": "application/cloudevents+json"}},
    {"method": "POST", "url": "/ingest/crm/", "content": "{}"},
    {"method": "GET", "url": "/readyz"},
    {"method": "GET", "url": "/healthz"},
]
print(json.dumps(list(ThreadPoolExecutor(4).map(ask, asked))))
"""


def test_doors_without_database_answer_503_and_retry_after() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60
    )
    events, webhook, ready, alive = json.loads(done.stdout.splitlines()[-1])
    for status, retry_after, kind, problem in (events, webhook):
        assert (status, kind, problem["code"], problem["retryable"]) == (
            503,
            "application/problem+json",
            "database_down",
            True,
        )
        assert int(retry_after) > 0
    assert (ready[0], ready[3]["ready"], ready[3]["checks"]["database"]["ok"]) == (503, False, False)
    assert (alive[0], alive[3]) == (200, {"alive": True})
