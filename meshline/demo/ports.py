"""TCP ports of the demo, on this machine only."""

import socket

from meshline.demo.errors import DemoError

HOST = "127.0.0.1"
WEB_PORT = 8000
SANDBOX_PORT = 8100
TRIES = 50


def choose(wanted: int | None, *, first: int, purpose: str) -> int:
    """Returns the port asked for, or else the first free one from `first` on. Raises DemoError when it is taken."""
    if wanted is not None:
        if not is_free(wanted):
            raise DemoError(
                f"Port {wanted} is taken ({purpose}). What to do: give another, for example PORT={wanted + 1}."
            )
        return wanted
    for port in range(first, first + TRIES):
        if is_free(port):
            return port
    raise DemoError(
        f"Ports {first} to {first + TRIES - 1} are all taken ({purpose}). What to do: give PORT a free one."
    )


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True
