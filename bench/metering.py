"""What processes cost: processor seconds and bytes given to the disk, of whole trees.

A tree's sum holds what its ended children took, because the kernel adds them to their parent (proc(5): cutime, cstime; task_io_accounting_add).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """Since each process began. written_bytes: what it made the kernel send to the disk, not what it wrote into sockets."""

    cpu_s: float = 0.0
    written_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.written_bytes + other.written_bytes)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s - other.cpu_s, self.written_bytes - other.written_bytes)


def read(parts: Mapping[str, int]) -> dict[str, Usage]:
    """By part: the process of that id with everything below it."""
    return {name: of_tree(pid) for name, pid in parts.items()}


def between(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, Usage]:
    return {name: used - before.get(name, Usage()) for name, used in after.items()}


def of_tree(pid: int) -> Usage:
    root, total = psutil.Process(pid), Usage()
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            total += of_process(process)
    return total


def of_process(process: psutil.Process) -> Usage:
    times = process.cpu_times()
    cpu_s = times.user + times.system + times.children_user + times.children_system
    return Usage(cpu_s, process.io_counters().write_bytes)
