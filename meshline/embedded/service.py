"""Start, stop and ask about the embedded servers of one checkout. What manage.py, settings and tests call.

Every function takes the checkout's folder as `root`. Processes that call at the same time wait for one another.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meshline.embedded import account as account_module
from meshline.embedded import places as places_module
from meshline.embedded import postgres, valkey
from meshline.embedded.account import Account
from meshline.embedded.errors import EmbeddedError
from meshline.embedded.places import Places

SERVERS = (postgres, valkey)
VARIABLES = {postgres.NAME: "DATABASE_URL", valkey.NAME: "REDIS_URL"}
LOG_KEEP_BYTES = 20 * 1024 * 1024


def ensure_started(*, root: Path) -> dict[str, str]:
    """Returns DATABASE_URL and REDIS_URL of servers that answer, starting whichever does not.

    Idempotent: on the checkout's path. Locks: `.meshline/embedded.lock` while something has to be started.
    Raises EmbeddedError, with the end of the log and a remedy, when a server does not come up.
    """
    account, places = _locate(root)
    if all(server.is_answering(places) for server in SERVERS):
        return _urls(places)
    with _translated(places), _locked(places, account=account):
        for server in SERVERS:
            if not server.is_answering(places):
                _trim(places.log(server.NAME))
                server.start(places, account=account)
    return _urls(places)


def stop(*, root: Path) -> None:
    """Ends both servers of this checkout. Idempotent. Raises EmbeddedError when one does not end."""
    account, places = _locate(root)
    if not places.state.exists():
        return
    with _translated(places), _locked(places, account=account):
        left = [server.NAME for server in SERVERS if not server.stop(places)]
        if not left:
            shutil.rmtree(places.sockets, ignore_errors=True)
    if left:
        raise EmbeddedError(f"Still running: {', '.join(left)}. The logs are in {places.log('any').parent}.")


def urls(*, root: Path) -> dict[str, str]:
    """Returns the DATABASE_URL and REDIS_URL that this checkout's servers have whenever they run. Starts nothing."""
    return _urls(_locate(root)[1])


def status(*, root: Path) -> dict[str, dict[str, object]]:
    """Returns, by server, whether it answers, its process id, its URL and its log. Starts nothing."""
    _, places = _locate(root)
    by_variable = _urls(places)
    return {
        server.NAME: {
            "answering": server.is_answering(places),
            "pid": server.find_pid(places),
            "url": by_variable[VARIABLES[server.NAME]],
            "log": str(places.log(server.NAME)),
        }
        for server in SERVERS
    }


def _locate(root: Path) -> tuple[Account, Places]:
    account = account_module.choose()
    return account, places_module.find(root=root, account=account)


def _urls(places: Places) -> dict[str, str]:
    return {VARIABLES[server.NAME]: server.url(places) for server in SERVERS}


@contextmanager
def _locked(places: Places, *, account: Account) -> Iterator[None]:
    places_module.prepare(places, account=account)
    with places.lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _translated(places: Places) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"The embedded servers of {places.state} cannot be used: {error}\n"
            "  What to do: see that this user may write there and that the disk has room, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from error


def _trim(log: Path) -> None:
    """A log that has grown large starts anew; the one before it is kept."""
    if log.exists() and log.stat().st_size > LOG_KEEP_BYTES:
        log.replace(log.with_suffix(".log.1"))
