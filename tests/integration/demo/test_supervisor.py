"""The demo's supervisor with small real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.demo.errors import DemoError
from meshline.demo.plan import Part
from meshline.demo.supervisor import Supervisor

CHECKOUT = Path(__file__).resolve().parents[3]
SLEEPER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
DEADLINE_S = 20


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(folder=tmp_path, environment=os.environ, root=CHECKOUT, say=(tmp_path / "said").write_text)
    yield made
    made.stop()


def _part(name: str, code: str, *, ready_url: str | None = None, restarts: int = 0) -> Part:
    return Part(name, (sys.executable, "-c", code), ready_url, restarts)


def _start(supervisor: Supervisor, part: Part) -> None:
    supervisor.launch(part)
    supervisor.await_ready(part, is_stopping=lambda: False)


def _await_text(path: Path, text: str) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while text not in path.read_text():
        assert time.monotonic() < ends_at, path.read_text()
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_check_names_the_part_that_ended_and_shows_its_last_words(supervisor: Supervisor) -> None:
    _start(supervisor, _part("steady", SLEEPER))
    _start(supervisor, _part("brief", "import sys; print('no more coffee'); sys.exit(3)"))
    with pytest.raises(DemoError, match=r"(?s)`brief` ended by itself \(exit 3\).*brief \| no more coffee"):
        _check_until_raised(supervisor)


def _check_until_raised(supervisor: Supervisor) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends_at:
        supervisor.check()
        time.sleep(0.02)


def test_check_starts_a_part_again_that_may_die_and_says_so_until_it_died_too_often(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    _start(supervisor, _part("worker", "print('lived', flush=True)", restarts=2))
    with pytest.raises(DemoError, match=r"`worker` ended by itself \(exit 0\), after 2 restarts"):
        _check_until_raised(supervisor)
    assert (tmp_path / "worker.log").read_text().split() == ["lived"] * 3
    assert "(restart 2 of 2)" in (tmp_path / "said").read_text()


def test_start_fails_at_once_when_a_part_ends_before_it_answers(supervisor: Supervisor) -> None:
    part = _part("web", "raise SystemExit('cannot bind')", ready_url=f"http://127.0.0.1:{_free_port()}/")
    with pytest.raises(DemoError, match="(?s)`web` ended by itself.*cannot bind"):
        _start(supervisor, part)


def test_start_returns_once_the_part_answers(supervisor: Supervisor) -> None:
    port = _free_port()
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    _start(supervisor, Part("web", argv, f"http://127.0.0.1:{port}/"))
    supervisor.check()


def test_stop_ends_parts_and_what_they_started(supervisor: Supervisor, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("meshline.demo.supervisor.STOP_PATIENCE_S", 0.5)
    family = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True); {SLEEPER}"
    _start(supervisor, _part("family", family))
    _start(supervisor, _part("stubborn", STUBBORN))
    _await_text(tmp_path / "stubborn.log", "deaf")
    _await_text(tmp_path / "family.log", "deaf")
    grandchild = int((tmp_path / "family.log").read_text().split()[0])
    assert supervisor.stop() == ["stubborn"]
    _await_gone(grandchild)


def _await_gone(pid: int) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while _state(pid) not in ("", "Z"):
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def _state(pid: int) -> str:
    shown = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_parts_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time; from pathlib import Path; from meshline.demo.plan import Part;"
        "from meshline.demo.supervisor import Supervisor;"
        "made = Supervisor(folder=Path(sys.argv[1]), environment=os.environ, root=Path(sys.argv[1]), say=print);"
        "made.launch(Part('sleeper', (sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)')));"
        "log = Path(sys.argv[1], 'sleeper.log')\n"
        "while not log.read_text().strip(): time.sleep(0.02)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=CHECKOUT, check=False)
    assert killed.returncode == -signal.SIGKILL
    _await_gone(int((tmp_path / "sleeper.log").read_text()))
