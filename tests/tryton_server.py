"""A real Tryton for tests: made once from nothing into `.meshline/tryton-template`, then a copy of its database served for each session.

Skips with a reason where `../shared` or the packages are not there. Tryton is GPL and stays a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncflows.connectors import registry
from syncflows.connectors.protocol import Connector
from syncflows.connectors.tryton import settings
from syncflows.connectors.tryton.rpc import Rpc

CHECKOUT = Path(__file__).resolve().parents[1]
MAKER = CHECKOUT.parent / "shared" / "tryton"
TEMPLATE = CHECKOUT / ".meshline" / "tryton-template"
# Raise when `_prepare` changes: the template is then made anew.
EDITION = "2"
START_S, MAKE_S = 60, 300


@dataclass(frozen=True)
class Tryton:
    """A running server. Users: sync (sells, keeps products), credit (may exceed credit limits), nobody, admin."""

    base_url: str

    def spec(
        self,
        *,
        base_url: str = "",
        user: str = "sync",
        password: str = "",
        database: str = "erp",
        read_s: float = 30,
        **options: Any,
    ) -> dict[str, Any]:
        """A System document's spec for it."""
        secret = password or {"admin": "erp-admin-pw"}.get(user, f"{user}-pw-1234")
        return {
            "base_url": base_url or self.base_url,
            "auth": {
                "type": "basic",
                "username": {"env": "TRYTON_USER", "default": user},
                "password": {"env": "TRYTON_PASSWORD", "default": secret},
            },
            "timeouts": {"connect_s": 3, "read_s": read_s},
            "options": {"database": database, "product_category": "Goods", **options},
        }

    def connector(self, **given: Any) -> Connector:
        return registry.build("tryton", name="erp", spec=self.spec(**given))

    def rpc(self, user: str = "sync") -> Rpc:
        """For what a person at the ERP's own screens would do."""
        return Rpc(settings.read(name="erp", spec=self.spec(user=user)))


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    """A seeded Tryton on a free port, this session's own. Mark what uses it with `xdist_group("tryton")`, so that one is enough."""
    template = _template()
    with _serving(template / "venv", _copied(template, tmp_path_factory.mktemp("tryton"))) as base_url:
        yield Tryton(base_url)


@pytest.fixture
def tryton_afresh(tmp_path: Path) -> Iterator[Tryton]:
    """A seeded Tryton of the test's own, without what other tests did to theirs: two seconds more."""
    template = _template()
    with _serving(template / "venv", _copied(template, tmp_path)) as base_url:
        yield Tryton(base_url)


def _template() -> Path:
    """The folder of the template, made if need be: about 45 seconds, once per checkout."""
    if not (MAKER / "erp").exists():
        pytest.skip("../shared/tryton is not here: it makes the Tryton that these tests speak to.")
    TEMPLATE.mkdir(parents=True, exist_ok=True)
    with (TEMPLATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (TEMPLATE / _edition()).exists():
            _make()
    return TEMPLATE


def _edition() -> str:
    sources = b"".join((MAKER / name).read_bytes() for name in ("erp", "seed.py", "requirements.txt"))
    return "erp-" + hashlib.sha256(sources + EDITION.encode()).hexdigest()[:16] + ".sqlite"


def _make() -> None:
    shutil.rmtree(TEMPLATE / "db", ignore_errors=True)
    port = _free_port()
    with (TEMPLATE / "making.log").open("wb") as log:
        made = subprocess.run(
            [MAKER / "erp", "start", TEMPLATE, str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=MAKE_S,
            check=False,
        )
    if made.returncode != 0:
        pytest.skip(f"No Tryton could be made here: {_tail(TEMPLATE / 'making.log')}")
    try:
        _prepare(Tryton(f"http://127.0.0.1:{port}"))
        (TEMPLATE / "part.sqlite").unlink(missing_ok=True)
        with sqlite3.connect(TEMPLATE / "db" / "erp.sqlite") as database:
            database.execute("VACUUM INTO ?", [str(TEMPLATE / "part.sqlite")])
    finally:
        subprocess.run([MAKER / "erp", "stop", TEMPLATE], timeout=START_S, check=False)
    (TEMPLATE / "part.sqlite").rename(TEMPLATE / _edition())


def _prepare(made: Tryton) -> None:
    """What the seed leaves out: the right to keep products for `sync`, and a user who may exceed credit limits."""
    admin = made.rpc("admin")
    groups = {item["name"]: item["id"] for item in admin.search("res.group", [], ["name"])}
    (sync,) = admin.search(
        "res.user", [["login", "=", "sync"]], ["groups", "company", "companies", "employee", "employees"]
    )
    rights = [groups["Product Administration"], groups["Account Product Administration"]]
    admin.write("model.res.user.write", [sync["id"]], {"groups": [["add", rights]]})
    second = {name: sync[name] for name in ("company", "employee")} | {
        name: [["add", sync[name]]] for name in ("companies", "employees")
    }
    allowed = [*sync["groups"], groups["Account Credit Limit"]]
    user = {"login": "credit", "name": "Credit manager", "password": "credit-pw-1234", "groups": [["add", allowed]]}
    admin.write("model.res.user.create", [second | user])
    admin.close()


def _copied(template: Path, folder: Path) -> Path:
    (folder / "db").mkdir()
    (folder / "www").mkdir()
    shutil.copyfile(template / _edition(), folder / "db" / "erp.sqlite")
    paths = f"[database]\nuri = sqlite://\npath = {folder / 'db'}\n[web]\nroot = {folder / 'www'}\n"
    (folder / "trytond.conf").write_text(f"{paths}[session]\nauthentications = password\n")
    return folder


@contextmanager
def _serving(venv: Path, folder: Path) -> Iterator[str]:
    port = _free_port()
    environment = os.environ | {
        "TRYTOND_CONFIG": str(folder / "trytond.conf"),
        "TRYTOND_WEB__LISTEN": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [venv / "bin" / "trytond", "-d", "erp"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _await_answer(f"http://127.0.0.1:{port}", server, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=START_S)


def _await_answer(base_url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    with httpx.Client(trust_env=False, timeout=2) as http:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                http.post(
                    f"{base_url}/rpc/", json={"id": 1, "method": "common.server.version", "params": []}
                ).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.05)
    pytest.fail(f"Tryton did not start: {_tail(log)}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-600:] if log.exists() else "no log"
