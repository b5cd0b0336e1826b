"""Sockets that killed supervisors left behind in the folder that all projects of a user share."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
import time
from pathlib import Path

#: Between its bind and its listen a socket refuses too: younger ones are left alone.
_AGE_SECONDS = 60.0
_SUFFIXES = (".sock", ".fork")


def sweep_sockets(folder: Path) -> list[Path]:
    """Remove the supervisors' and fork servers' sockets in `folder` that nobody listens on any more; those removed.

    A project that is started again replaces its own; those of a project that was deleted would stay for ever.
    """
    gone: list[Path] = []
    try:
        entries = list(folder.iterdir())
    except OSError:  # cleaned away with all that was in it
        return gone
    for path in entries:
        with contextlib.suppress(OSError):
            seen = path.lstat()
            old = time.time() - seen.st_mtime > _AGE_SECONDS
            if path.suffix in _SUFFIXES and stat.S_ISSOCK(seen.st_mode) and old and _refuses(path):
                path.unlink()
                gone.append(path)
    return gone


def _refuses(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0.1)  # who is only busy does not refuse
        return client.connect_ex(str(path)) == errno.ECONNREFUSED
