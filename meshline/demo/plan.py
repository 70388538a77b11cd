"""What the demo consists of: where things are, and the table of its parts. Starts nothing."""

import base64
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from meshline.demo.ports import HOST


@dataclass(frozen=True)
class Demo:
    """One demo of one checkout."""

    root: Path
    port: int
    sandbox_port: int

    @property
    def folder(self) -> Path:
        return self.root / ".meshline" / "demo"

    @property
    def definitions(self) -> Path:
        return self.root / "docs" / "examples" / "demo"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@dataclass(frozen=True)
class Part:
    """One child process. `ready_url` answers 200 once the part can be used; the next part starts after that."""

    name: str
    argv: tuple[str, ...]
    ready_url: str | None = None


def parts(demo: Demo) -> tuple[Part, ...]:
    """Returns the parts in the order in which they start; they stop in the reverse one."""
    return (
        Part("sandbox", _manage(demo, "sandbox", "--port", str(demo.sandbox_port)), f"{demo.sandbox_url}/"),
        Part("web", _gunicorn(demo), f"{demo.url}/healthz"),
        Part("worker", _celery("worker", "--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle")),
        Part("beat", _celery("beat", f"--schedule={demo.folder / 'beat-schedule'}", "--pidfile=")),
        Part("traffic", _python("-m", "meshline.demo.traffic", "--folder", str(demo.folder))),
    )


def environment(demo: Demo) -> dict[str, str]:
    """Returns the environment of every part: the sample definitions name these variables."""
    systems = {f"MESHLINE_SANDBOX_{name.upper()}_URL": f"{demo.sandbox_url}/{name}" for name in ("crm", "erp", "desk")}
    tokens = {f"MESHLINE_SANDBOX_{name.upper()}_TOKEN": f"{name}-demo-token" for name in ("crm", "erp", "desk")}
    own = {
        "DJANGO_SETTINGS_MODULE": "meshline.settings",
        "MESHLINE_DEMO": "true",
        "MESHLINE_DEMO_WEBHOOK_URL": f"{demo.url}/ingest/crm/",
        "SANDBOX_URL": demo.sandbox_url,
        "MESHLINE_SANDBOX_CRM_WEBHOOK_SECRET": _webhook_secret(demo.folder / "webhook_secret"),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **systems, **tokens, **own}


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


def _manage(demo: Demo, *arguments: str) -> tuple[str, ...]:
    return _python(str(demo.root / "manage.py"), *arguments)


def _celery(*arguments: str) -> tuple[str, ...]:
    return _python("-m", "celery", "--app=meshline.celery:app", *arguments, "--loglevel=INFO")


def _gunicorn(demo: Demo) -> tuple[str, ...]:
    options = ("--worker-class=gthread", "--workers=2", "--threads=8", "--graceful-timeout=5", "--access-logfile=-")
    return _python("-m", "gunicorn", "meshline.wsgi:application", f"--bind={HOST}:{demo.port}", *options)


def _webhook_secret(path: Path) -> str:
    """Made once for each checkout; the sandbox signs with it (Standard Webhooks) and the web part verifies."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    return path.read_text()
