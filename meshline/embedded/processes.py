"""Programs in the background: start one detached, tell whether a process id is still the one we mean, end it.

A process id alone proves nothing: after a crash or a reboot it may belong to a stranger. One counts as ours only
if its command line names our own data folder, so that nothing else is ever signalled.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from meshline.embedded.account import Account
from meshline.embedded.errors import EmbeddedError

LAUNCHER = Path(__file__).with_name("launch.py")
POLL_S = 0.02
LISTEN_TIMEOUT_S = 5.0
# Nothing of the caller's environment may reach a server: PGOPTIONS or LC_ALL would change how it behaves.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def start(argv: Sequence[str], *, account: Account, log: Path) -> int:
    """Starts a program that outlives this process, writing to `log`; returns its process id."""
    return int(_launch(argv, account=account, log=log).stdout)


def run(argv: Sequence[str], *, account: Account) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end under the account; the caller judges the result."""
    return _launch(argv, account=account, log=None)


def is_ours(pid: int, *, mark: str) -> bool:
    """Whether the process lives and its command line has `mark` as one of its words. A zombie does not live."""
    return mark in _command_line(pid)


def listens(path: Path) -> bool:
    """Whether somebody accepts connections on the unix socket. Says nothing about whether they answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(LISTEN_TIMEOUT_S)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def end(pid: int, *, mark: str, signals: Sequence[signal.Signals], patience_s: float) -> bool:
    """Sends each signal in turn until the process is gone; returns whether it is."""
    for number in signals:
        _send(pid, number)
        if wait_until(lambda: not is_ours(pid, mark=mark), deadline_s=patience_s):
            return True
    return not is_ours(pid, mark=mark)


def wait_until(holds: Callable[[], bool], *, deadline_s: float) -> bool:
    """Polls until the condition holds or the deadline passes; returns whether it held."""
    ends_at = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > ends_at:
            return False
        time.sleep(POLL_S)
    return True


def _launch(argv: Sequence[str], *, account: Account, log: Path | None) -> subprocess.CompletedProcess[str]:
    order = {
        "argv": list(argv),
        "env": ENVIRONMENT,
        "log": str(log) if log else None,
        "uid": account.uid if account.is_borrowed else None,
        "gid": account.gid,
        "capability": account.capability,
    }
    command = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(order)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if log and done.returncode != 0:
        raise EmbeddedError(
            f"A server could not be started: {done.stderr.strip()}\n"
            "  What to do: see that the file may be run here (a noexec mount?), or set DATABASE_URL and REDIS_URL."
        )
    return done


def _command_line(pid: int) -> list[str]:
    if sys.platform.startswith("linux"):
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return []
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.split()


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise EmbeddedError(
            f"Process {pid} may not be signalled: {error}\n  What to do: stop it as the user who started it."
        ) from error
