"""Runs the demo's parts as child processes, notices when one ends, and stops them all.

Restarts nothing: a part that dies is a defect to be seen, so it ends the demo with the part's last words.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
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

    def __init__(self, *, folder: Path, environment: Mapping[str, str], root: Path) -> None:
        self._folder = folder
        self._environment = environment
        self._root = root
        self._running: list[tuple[Part, subprocess.Popen[bytes]]] = []

    def start(self, part: Part, *, is_stopping: Callable[[], bool]) -> None:
        """Starts a part and waits until it can be used. Raises DemoError when it ends first or takes too long."""
        with self._log(part).open("wb") as log:
            child = subprocess.Popen(
                part.argv,
                cwd=self._root,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._running.append((part, child))
        if part.ready_url:
            self._await(part, child, is_stopping=is_stopping)

    def check(self) -> None:
        """Raises DemoError, with the end of its log, when a part has ended."""
        for part, child in self._running:
            if (code := child.poll()) is not None:
                raise DemoError(
                    self._describe(f"The part `{part.name}` ended by itself ({_describe_code(code)}).", part)
                )

    def stop(self) -> list[str]:
        """Asks the parts to end, last started first, then makes them. Returns the names of those that had to be made."""
        for _, child in reversed(self._running):
            _signal_group(child, signal.SIGTERM)
        ends_at = time.monotonic() + STOP_PATIENCE_S
        while any(child.poll() is None for _, child in self._running) and time.monotonic() < ends_at:
            time.sleep(POLL_S)
        stubborn = [part.name for part, child in self._running if child.poll() is None]
        for _, child in self._running:
            _signal_group(child, signal.SIGKILL)  # whatever a part left behind in its group
            child.wait()
        self._running.clear()
        return stubborn

    def _await(self, part: Part, child: subprocess.Popen[bytes], *, is_stopping: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + READY_DEADLINE_S
        while not _answers(part.ready_url or ""):
            if is_stopping():
                return
            self.check()
            if time.monotonic() > ends_at:
                problem = f"The part `{part.name}` does not answer at {part.ready_url} after {READY_DEADLINE_S:.0f} s."
                raise DemoError(self._describe(problem, part))
            time.sleep(POLL_S)

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
