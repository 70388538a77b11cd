"""Where the time of running processes goes: py-spy samples them from outside, and its stacks are summed by function. Linux; needs the right to look (ptrace)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.databases import ROOT

RATE = 250
SHOWN = 40
Shares = dict[str, list[tuple[str, float]]]
PROFILED = ("web", "worker")
STOP_S = 30
STANDARD = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/"
LIBRARY = "site-packages/"
OURS = ("meshline/", "ownership/", "syncflows/", "exceptions/", "reconciliation/")


@contextmanager
def sampling(parts: Mapping[str, int], *, folder: Path, output: Path | None) -> Iterator[None]:
    """Sample the web and worker trees during the block, print where their time went, and write it to `output`.

    It slows them a little: figures of such a run are no figures.
    """
    wanted = {name: pid for name, pid in parts.items() if name in PROFILED}
    with ExitStack() as stack:
        for name, pid in wanted.items():
            stack.enter_context(_recording(pid, folder / f"{name}.stacks"))
        yield
    found = {name: shares((folder / f"{name}.stacks").read_text()) for name in wanted}
    for name, tables in found.items():
        print(report(name, tables))
    if output is not None and found:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(found, indent=1) + "\n")


@contextmanager
def _recording(pid: int, path: Path) -> Iterator[None]:
    command = ["py-spy", "record", "--pid", str(pid), "--subprocesses", "--rate", str(RATE), "--format", "raw", "--full-filenames", "--nonblocking", "--output", str(path)]  # fmt: skip
    process = subprocess.Popen([str(ROOT / ".venv/bin" / command[0]), *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_S)


def shares(stacks: str) -> Shares:
    """By title: name and percent of the samples on a processor, largest first. stacks: `frame;frame;frame count` a line."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in stacks.splitlines():
        path, _, count = line.rpartition(" ")
        frames = [_shortened(frame) for frame in path.split(";") if not frame.startswith("process ")]
        if frames and count.isdigit():
            own[frames[-1]] += int(count)
            below.update({frame: int(count) for frame in frames if frame.startswith(OURS)})
    libraries: Counter[str] = Counter()
    for frame, count in own.items():
        libraries[frame.partition("/")[0].partition(" ")[0]] += count
    total = sum(own.values()) or 1
    tables = {
        "own time, by library": libraries,
        "own time, by function": own,
        "with what they call, our functions": below,
    }
    return {
        title: [(name, round(count / total * 100, 1)) for name, count in counts.most_common(SHOWN)]
        for title, counts in tables.items()
    }


def report(name: str, tables: Shares) -> str:
    lines = [f"\n{name}, percent of its time on a processor"]
    for title, rows in tables.items():
        lines += [f"  {title}:", *(f"    {share:5.1f} %  {what}" for what, share in rows)]
    return "\n".join(lines)


def _shortened(frame: str) -> str:
    """`file function`, summed over the lines of a function. C code counts for the Python function that called it."""
    function, _, place = frame.rpartition(" (")
    file = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    for start in (LIBRARY, STANDARD, f"{ROOT}/"):
        file = file.rpartition(start)[2]
    return f"{file} {function}"
