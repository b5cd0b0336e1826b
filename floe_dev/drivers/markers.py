"""Ownership of processes: each one we start carries FLOE_INSTANCE in its environment, and only those are ever ended.

The value is `<project>-<start>`: the project's key (a hash of its path) and what tells one start from another. Looking
for `<project>-` finds what any start of this project left behind, and nothing of a copy of it in another folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self")

#: Environment variable that marks every process of one stack; its value is the stack's instance id.
MARKER = "FLOE_INSTANCE"


def marked(instance: str) -> list[int]:
    """Pids of this user's living processes whose marker begins with `instance`, this process left out."""
    needle = f"{MARKER}={instance}".encode()
    return [
        pid
        for pid, environ in _environments()
        if pid != os.getpid() and needle in environ and any(e.startswith(needle) for e in environ.split(b"\0"))
    ]


def kill_marked(instance: str, *, grace_seconds: float = 0.0, spare: frozenset[int] = frozenset()) -> list[int]:
    """End every process whose marker begins with `instance`: SIGTERM, then SIGKILL after the grace; the pids found.

    Looks again until none is left, since a process may start another while it is being ended; gives up five seconds
    after the grace (a process in uninterruptible sleep).
    """
    found: set[int] = set()
    signalled: set[int] = set()
    started = time.monotonic()
    number = signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL
    while alive := [pid for pid in marked(instance) if pid not in spare and not is_zombie(pid)]:
        elapsed = time.monotonic() - started
        if elapsed > grace_seconds + 5.0:
            break
        if elapsed >= grace_seconds and number is not signal.SIGKILL:
            number, signalled = signal.SIGKILL, set()
        for pid in alive:
            if pid not in signalled:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                signalled.add(pid)
        found.update(alive)
        time.sleep(0.02)
    # A process that is ending loses its environment first and closes its sockets a moment later.
    while any(_runs(pid) for pid in found) and time.monotonic() - started < grace_seconds + 6.0:
        time.sleep(0.002)
    return sorted(found)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # somebody else's by now
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    """Whether `pid` has ended and only waits to be reaped; its environment then reads empty on Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _environments() -> Iterator[tuple[int, bytes]]:
    if _PROC.is_dir():
        for entry in os.listdir("/proc"):  # noqa: PTH208 - ten times cheaper than Path.iterdir over all of /proc
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    yield int(entry), Path(f"/proc/{entry}/environ").read_bytes()
        return
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environ = process.environ()
            yield process.pid, b"\0".join(f"{k}={v}".encode() for k, v in environ.items())
