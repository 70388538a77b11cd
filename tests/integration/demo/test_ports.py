"""The demo's ports, with real sockets."""

import socket
from collections.abc import Iterator

import pytest

from meshline.demo import ports
from meshline.demo.errors import DemoError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind((ports.HOST, 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def test_choose_refuses_a_taken_port_that_was_asked_for(taken: int) -> None:
    with pytest.raises(DemoError, match=f"Port {taken} is taken.*PORT={taken + 1}"):
        ports.choose(taken, first=ports.WEB_PORT, purpose="web")


def test_choose_takes_the_next_free_port_when_none_was_asked_for(taken: int) -> None:
    assert ports.choose(None, first=taken, purpose="web") > taken


def test_choose_gives_up_after_its_tries(taken: int, monkeypatch) -> None:
    monkeypatch.setattr(ports, "TRIES", 1)
    with pytest.raises(DemoError, match="are all taken"):
        ports.choose(None, first=taken, purpose="web")
