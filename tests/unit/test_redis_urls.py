"""Each test worker's own Valkey database."""

import pytest

from tests.redis_urls import for_worker


@pytest.mark.parametrize(
    ("url", "worker", "expected"),
    [
        ("unix:///run/valkey.sock?db=0", "", "unix:///run/valkey.sock?db=1"),
        ("unix:///run/valkey.sock?db=0", "gw0", "unix:///run/valkey.sock?db=2"),
        ("unix:///run/valkey.sock", "gw11", "unix:///run/valkey.sock?db=13"),
        ("redis://:secret@valkey:6379/0", "gw1", "redis://:secret@valkey:6379/3"),
        ("rediss://valkey", "", "rediss://valkey/1"),
    ],
)
def test_for_worker_changes_the_database_alone(url: str, worker: str, expected: str) -> None:
    assert for_worker(url, worker) == expected
