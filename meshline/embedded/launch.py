"""Starts one program, detached and as another account when asked. Run as a script: `python -I -S launch.py ORDER`.

A process of its own, because dropping root and forking inside a threaded Python process is unsafe, and because a
server whose parent has already gone is nobody's child: it survives the death of whoever started it. Standard
library only; must not import Meshline.
"""

import ctypes
import json
import os
import sys

PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityWord(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main(order_text: str) -> None:
    order = json.loads(order_text)
    report = _detach(order["log"]) if order["log"] else sys.stderr.fileno()
    os.umask(0o077)
    os.chdir("/")
    try:
        if order["uid"] is not None:
            _become(uid=order["uid"], gid=order["gid"], capability=order["capability"])
        os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606  (this is the point)
    except OSError as error:
        os.write(report, f"{order['argv'][0]}: {error}".encode())
        sys.exit(1)


def _detach(log: str) -> int:
    """Goes on in a new session, writing to the log; this process's first half prints the new id and ends.

    It does so only once the program has been reached: the returned descriptor closes by itself then, and takes the
    reason when it cannot be reached.
    """
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    reader, writer = os.pipe()
    os.setsid()
    if pid := os.fork():
        os.close(writer)
        reason = os.read(reader, 10_000)
        print(reason.decode() if reason else pid, file=sys.stderr if reason else sys.stdout, flush=True)
        os._exit(1 if reason else 0)
    for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log_fd), (2, log_fd)):
        os.dup2(source, target)
    return writer


def _become(*, uid: int, gid: int, capability: int | None) -> None:
    """Drops root for good. One capability survives, and the programs it starts inherit it, when asked."""
    if capability is not None:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        _keep_only(capability)
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _keep_only(capability: int) -> None:
    mask = 1 << capability
    words = (_CapabilityWord * 2)(_CapabilityWord(mask, mask, mask), _CapabilityWord(0, 0, 0))
    _call("capset", ctypes.byref(_CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)), words)


def _prctl(option: int, first: int, second: int = 0) -> None:
    _call("prctl", *(ctypes.c_ulong(value) for value in (option, first, second, 0, 0)))


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1])
