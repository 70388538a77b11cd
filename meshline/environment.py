"""Settings from the environment, read once at start. A missing or bad value fails with its name and an example.

Must not import Django: it runs before settings exist.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


class BadEnvironment(SystemExit):
    """A setting is missing or malformed. Exits with status 2 and a sentence a person can act on."""

    def __init__(self, name: str, problem: str, example: str) -> None:
        super().__init__(f"meshline: environment variable {name} {problem}. Example: {name}={example}")
        self.name = name


class Environment:
    """Typed access to a mapping of environment variables."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, *, default: str | None = None, example: str) -> str:
        value = self._values.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise BadEnvironment(name, "is not set", example)
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        raw = self._values.get(name)
        if raw is None:
            return default
        if raw.strip().lower() in TRUE_WORDS:
            return True
        if raw.strip().lower() in FALSE_WORDS:
            return False
        raise BadEnvironment(name, f"is {raw!r}, which is neither true nor false", "true")

    def whole(self, name: str, *, default: int, least: int, most: int) -> int:
        raw = self._values.get(name, "").strip()
        if not raw:
            return default
        try:
            value = int(raw)
        except ValueError:
            raise BadEnvironment(name, f"is {raw!r}, not a whole number", str(default)) from None
        if not least <= value <= most:
            raise BadEnvironment(name, f"is {value}, outside {least} to {most}", str(default))
        return value

    def names(self, name: str, *, default: str) -> list[str]:
        return [part.strip() for part in self._values.get(name, default).split(",") if part.strip()]

    def url(self, name: str, *, schemes: tuple[str, ...], example: str) -> str:
        value = self.text(name, example=example)
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise BadEnvironment(name, f"does not start with one of {', '.join(schemes)}", example)
        return value


def use_embedded_servers_if_unset(*, root: Path, start: bool = True) -> None:
    """Point DATABASE_URL and REDIS_URL at the embedded servers, starting them if asked, unless both are given."""
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    from meshline.embedded import service

    urls = service.ensure_started(root=root) if start else service.urls(root=root)
    for name, value in urls.items():
        os.environ.setdefault(name, value)


def local_secret(*, root: Path) -> str:
    """A secret key kept in `.meshline/` for an installation on one machine, made on first use, readable by its owner only."""
    path = root / ".meshline" / "secret_key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(50))
    return path.read_text()
