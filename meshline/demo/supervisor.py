"""Runs the demo's parts as child processes, notices when one ends, and stops them all.

A part that dies ends the demo with the part's last words. Those that the product promises to survive are started
again, a few times, and never silently.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from meshline.demo.errors import DemoError
from meshline.demo.plan import Part

READY_DEADLINE_S = 60.0
STOP_PATIENCE_S = 7.0
POLL_S = 0.1
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1


class Supervisor:
    """Each child leads its own process group: Ctrl-C reaches this process alone, which then stops them in order."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str], root: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._environment = environment
        self._root = root
        self._say = say
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []
        self._deaths: Counter[str] = Counter()

    def launch(self, part: Part) -> None:
        """Starts a part. Returns at once."""
        self._log(part).unlink(missing_ok=True)
        self._running.append((part, self._spawn(part)))

    def await_ready(self, part: Part, *, is_stopping: Callable[[], bool]) -> None:
        """Waits until a launched part can be used. Raises DemoError when it ends first or takes too long."""
        ends_at = time.monotonic() + READY_DEADLINE_S
        while part.ready_url and not _answers(part.ready_url):
            if is_stopping():
                return
            self.check()
            if time.monotonic() > ends_at:
                problem = f"The part `{part.name}` does not answer at {part.ready_url} after {READY_DEADLINE_S:.0f} s."
                raise DemoError(self._describe(problem, part))
            time.sleep(POLL_S)

    def check(self) -> None:
        """Starts a part again that may die. Raises DemoError, with the end of its log, when any other has ended."""
        for place, (part, child) in enumerate(self._running):
            if (code := child.poll()) is not None:
                self._running[place] = (part, self._start_again(part, child, code))

    def _start_again(self, part: Part, child: subprocess.Popen[bytes], code: int) -> subprocess.Popen[bytes]:
        what = f"The part `{part.name}` ended by itself ({_describe_code(code)})"
        if self._deaths[part.name] >= part.restarts:
            again = f", after {part.restarts} restarts" if part.restarts else ""
            raise DemoError(self._describe(f"{what}{again}.", part))
        self._deaths[part.name] += 1
        _signal_group(child, signal.SIGKILL)  # its own children, if it left any
        nth = f"restart {self._deaths[part.name]} of {part.restarts}"
        self._say(f"  {what}. Nothing that was accepted is lost; starting it again ({nth}).")
        return self._spawn(part)

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        with self._log(part).open("ab") as log:
            return subprocess.Popen(
                part.argv,
                cwd=self._root,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def pids(self) -> dict[str, int]:
        """Returns the process id of each part that was launched."""
        return {part.name: child.pid for part, child in self._running}

    def stop(self) -> list[str]:
        """Asks the parts to end, last started first, then makes them. Returns the names of those that had to be made."""
        for _, child in reversed(self._running):
            child.terminate()  # the leader alone: it lets its own children finish what they are at
        ends_at = time.monotonic() + STOP_PATIENCE_S
        while any(child.poll() is None for _, child in self._running) and time.monotonic() < ends_at:
            time.sleep(POLL_S)
        stubborn = [part.name for part, child in self._running if child.poll() is None]
        for _, child in self._running:
            _signal_group(child, signal.SIGKILL)  # whatever a part left behind in its group
            child.wait()
        self._running.clear()
        return stubborn

    def _log(self, part: Part) -> Path:
        return self._folder / f"{part.name}.log"

    def _describe(self, problem: str, part: Part) -> str:
        lines = self._log(part).read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"    {part.name} | {line}" for line in lines) or f"    {part.name} | (nothing)"
        return f"{problem}\n  The end of {self._log(part)}:\n{tail}"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False, follow_redirects=True).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return


def _die_with_parent() -> None:
    """Where the system can (Linux), a killed demo leaves no parts behind."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _describe_code(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
