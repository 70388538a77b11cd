"""What can go wrong with the embedded servers, in words for the person at the terminal."""

from pathlib import Path

LOG_TAIL_LINES = 12


class EmbeddedError(RuntimeError):
    """The embedded servers cannot do what was asked. The message says what, where the log is, and what to do."""


def with_log(what: str, *, log: Path, remedy: str) -> EmbeddedError:
    """Returns an error that carries the end of a server's log, since its last lines name the cause."""
    tail = "\n".join(f"    {line}" for line in _last_lines(log)) or "    (empty)"
    return EmbeddedError(f"{what}\n  The end of {log}:\n{tail}\n  What to do: {remedy}")


def _last_lines(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except OSError as error:
        return [f"(cannot be read: {error})"]
