"""Servers of the benchmarks' own, with the product's tables made once, for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import cluster as servers
from bench.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with servers.own() as made:
        servers.make_template(made)
        yield made
    assert not made.root.exists(), "the servers and their folder are gone"
