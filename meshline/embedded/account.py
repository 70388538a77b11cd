"""Which operating system account the servers run as. Decides only; `launch.py` acts on it.

PostgreSQL refuses to run as root. Started by root it therefore runs as an existing unprivileged account, and keeps
one capability to pass through folders that only root may enter (a checkout below /root, say), because the
permissions of folders that are not ours are never changed. Where that capability is not to be had (a container
that drops it), `Account.needs_copy` says that binaries and data must live in a folder of our own making instead.
"""

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from meshline.embedded.errors import EmbeddedError

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
UNPRIVILEGED_NAMES = ("nobody", "daemon")
PROCESS_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int
    is_borrowed: bool  # True when root starts the servers as somebody else
    capability: int | None = None  # kept by a borrowed account, to pass through root's folders

    @property
    def needs_copy(self) -> bool:
        return self.is_borrowed and self.capability is None


def choose() -> Account:
    """Returns this process's own account, or, for root, an unprivileged one.

    Raises EmbeddedError when root finds no unprivileged account on this machine.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), is_borrowed=False)
    entry = _unprivileged_entry()
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, is_borrowed=True, capability=_usable_capability())


def _unprivileged_entry() -> pwd.struct_passwd:
    for name in UNPRIVILEGED_NAMES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(UNPRIVILEGED_NAMES)} exists here.\n"
        "  What to do: run as an ordinary user, or point DATABASE_URL and REDIS_URL at servers of your own."
    )


def _usable_capability() -> int | None:
    """Reading is enough to pass through a folder, so the weaker of the two capabilities comes first."""
    if not sys.platform.startswith("linux"):
        return None
    held = _capability_set("CapPrm") & _capability_set("CapBnd")
    return next((cap for cap in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if held >> cap & 1), None)


def _capability_set(name: str) -> int:
    try:
        lines = PROCESS_STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith(f"{name}:")), 0)
