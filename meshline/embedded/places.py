"""Where the embedded servers of one checkout keep things. Makes folders of our own; never touches anybody else's.

Data and logs: `.meshline/` of the checkout. Sockets: a short path in /tmp named from a hash of the checkout's path,
so that two checkouts never meet and a deep checkout still fits the 108 bytes of a socket's path. TMPDIR is ignored
on purpose: it differs between shells, and every process has to find the same socket.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from meshline.embedded.account import Account
from meshline.embedded.errors import EmbeddedError

SOCKET_PARENTS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108  (names are hashed, owners checked)
COPY_PARENT = Path("/var/tmp")  # noqa: S108  (survives a reboot, unlike /tmp)


@dataclass(frozen=True)
class Places:
    state: Path  # .meshline of the checkout
    base: Path  # what PostgreSQL itself must be able to reach: `state`, or our own copy outside the checkout
    sockets: Path

    @property
    def postgres_data(self) -> Path:
        return self.base / "postgres"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "pg"

    @property
    def valkey_data(self) -> Path:
        return self.state / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def lock(self) -> Path:
        return self.state / "embedded.lock"

    def log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.state / f"{name}.pid"


def find(*, root: Path, account: Account) -> Places:
    """Returns the places of one checkout. Touches nothing."""
    resolved = root.resolve()
    state = resolved / ".meshline"
    name = "meshline-" + hashlib.sha256(f"{os.geteuid()}:{resolved}".encode()).hexdigest()[:12]
    sockets = next((parent for parent in SOCKET_PARENTS if os.access(parent, os.W_OK)), SOCKET_PARENTS[0]) / name
    return Places(state=state, base=COPY_PARENT / name if account.needs_copy else state, sockets=sockets)


def prepare(places: Places, *, account: Account) -> None:
    """Makes the folders that are ours. Idempotent. Raises EmbeddedError when one is somebody else's."""
    claim(places.state, mode=0o700)
    (places.state / ".gitignore").write_text("*\n")
    claim(places.log("any").parent, mode=0o700)
    claim(places.valkey_data, mode=0o700)
    if account.needs_copy:
        _share_by_group(places, account=account)
        return
    claim(places.sockets, mode=0o700)
    claim(places.postgres_sockets, mode=0o700, account=account)


def claim(path: Path, *, mode: int, account: Account | None = None, gid: int | None = None) -> None:
    """Makes a folder with exactly this mode and owner, or takes the one we made before.

    Raises EmbeddedError when what is there is not a folder, or belongs to another user: in /tmp anyone may have
    put it there first.
    """
    owner = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        _require_ours(path, owner=owner)
    except OSError as error:
        raise EmbeddedError(f"Cannot make the folder {path}: {error}\n  What to do: {_remedy_for(error)}") from error
    if os.geteuid() == 0:
        os.chown(path, owner, gid if gid is not None else (account.gid if account else -1))
    path.chmod(mode)


def _share_by_group(places: Places, *, account: Account) -> None:
    """Without a capability, root and the borrowed account meet in folders of root that the account's group may pass."""
    claim(places.base, mode=0o710, gid=account.gid)
    claim(places.sockets, mode=0o710, gid=account.gid)
    claim(places.postgres_sockets, mode=0o711, account=account)


def _require_ours(path: Path, *, owner: int) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise EmbeddedError(
            f"{path} exists and is not a folder of uid {owner} (it belongs to uid {found.st_uid}).\n"
            "  What to do: remove it, or run as the user who owns it."
        )


def _remedy_for(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run as a user who may write there, or set DATABASE_URL and REDIS_URL to servers of your own."
    return "make room on this disk, then start again."
