"""What the demo consists of: where things are, and the table of its parts. Starts nothing."""

import base64
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from meshline.demo.ports import HOST

RESTARTS = 3
# Workers need not know of each other: the rows say who does what. /readyz asks who reported within a minute.
QUIET = ("--without-gossip", "--without-mingle", "--heartbeat-interval=10")
LEASE_S = "10"  # short: who kills a worker here watches, and wants to see its runs go on
WORKERS = 2  # processes that carry runs; each has threads for the outside writes
RATE = "0.5"  # changes a second in the CRM, after the first burst


@dataclass(frozen=True)
class Demo:
    """One demo of one checkout."""

    root: Path
    folder: Path  # logs, the sandbox's store, the webhook secret
    port: int
    sandbox_port: int

    @property
    def definitions(self) -> Path:
        return self.root / "docs" / "examples" / "demo"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/ingest/crm/"


@dataclass(frozen=True)
class Part:
    """One child process. `ready_url` answers 200 once the part can be used. `restarts` is how often it may die and be started again."""

    name: str
    argv: tuple[str, ...]
    ready_url: str | None = None
    restarts: int = 0


def sandbox(demo: Demo) -> Part:
    store = str(demo.folder / "sandbox.sqlite")
    argv = _python("-m", "syncflows.sandbox", "--port", str(demo.sandbox_port), "--store", store)
    return Part("sandbox", argv, f"{demo.sandbox_url}/")


def product(demo: Demo) -> tuple[Part, ...]:
    """What Meshline itself consists of. Workers and beat may die at any time, as the product promises to survive that."""
    worker = (f"--concurrency={WORKERS}", *QUIET)
    return (
        Part("web", _web(demo), f"{demo.url}/healthz"),
        Part("worker", _celery("worker", *worker), restarts=RESTARTS),
        Part("beat", _celery("beat", f"--schedule={demo.folder / 'beat-schedule'}", "--pidfile="), restarts=RESTARTS),
    )


def traffic(demo: Demo) -> Part:
    return Part("traffic", _manage(demo, "sandbox_traffic", "--url", demo.sandbox_url, "--rate", RATE))


def environment(demo: Demo) -> dict[str, str]:
    """Returns the environment of every part: the sample definitions name these variables."""
    systems = {f"MESHLINE_SANDBOX_{name.upper()}_URL": f"{demo.sandbox_url}/{name}" for name in ("crm", "erp", "desk")}
    tokens = {f"MESHLINE_SANDBOX_{name.upper()}_TOKEN": f"{name}-demo-token" for name in ("crm", "erp", "desk")}
    own = {
        "DJANGO_SETTINGS_MODULE": "meshline.settings",
        "MESHLINE_DEMO": "true",
        "MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET": _webhook_secret(demo.folder / "webhook_secret"),
        "PYTHONUNBUFFERED": "1",
    }
    # Without its byte code written down, every part would compile the whole of Django again.
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    given.setdefault("MESHLINE_LEASE_S", LEASE_S)
    return {**given, **systems, **tokens, **own}


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def _manage(demo: Demo, *arguments: str) -> tuple[str, ...]:
    return _python(str(demo.root / "manage.py"), *arguments)


def _celery(*arguments: str) -> tuple[str, ...]:
    return _python("-m", "celery", "--app=meshline.celery:app", *arguments, "--loglevel=INFO")


def _web(demo: Demo) -> tuple[str, ...]:
    """The same line as in production (docs/settings.md)."""
    options = ("--timeout-graceful-shutdown=5", "--timeout-keep-alive=75", "--no-server-header", "--no-access-log")
    return _python("-m", "uvicorn", "meshline.asgi:application", f"--host={HOST}", f"--port={demo.port}", *options)


def _webhook_secret(path: Path) -> str:
    """Made once for each checkout; the sandbox signs with it (Standard Webhooks) and the web part verifies."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    return path.read_text()
