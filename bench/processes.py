"""Child processes of a benchmark. They end when the parent does: each reads its standard input and stops at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.databases import ROOT
from bench.errors import BenchError

PATIENCE_S = 15


class Child:
    """One Python module in a process of its own, spoken to in lines of JSON. Ends with the block."""

    def __init__(self, module: str, *arguments: str, environment: dict[str, str], log: Path) -> None:
        self._module, self._log, self.environment = module, log, environment
        self._stream = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._stream, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def read(self) -> Any:
        """Its next line. Raises BenchError with the end of its log when it has ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self._module} ended with {self.process.wait()}: {self._log.read_text()[-2000:]}")
        return json.loads(line)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def ask(self, what: dict[str, Any]) -> Any:
        """Tell it, and read its answer."""
        self.tell(json.dumps(what))
        return self.read()

    def kill(self) -> None:
        """kill -9, as the machine would."""
        self.process.kill()
        self.stop()

    def stop(self) -> None:
        """Close its input, wait, and insist."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._stream.close()
