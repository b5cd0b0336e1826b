"""Ports on 127.0.0.1: take the wanted one if it is free, else another; say who holds it, and whether that is us."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LISTEN = "0A"


@dataclass(frozen=True)
class PortChoice:
    """The port to use; `taken` is the wanted one and `holder` its holder where it could not be had."""

    port: int
    taken: int | None = None
    holder: str | None = None


def is_free(port: int) -> bool:
    """Whether a listener could be bound to `port` on 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    # Outside Linux SO_REUSEADDR lets 127.0.0.1 be bound while another process listens on all addresses.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.5)
        return sock.connect_ex((LOOPBACK, port)) != 0


def choose(wanted: int, avoid: frozenset[int] = frozenset()) -> PortChoice:
    """`wanted` if it is free, else the next free one above it, else any; never one of `avoid`."""
    if wanted not in avoid and is_free(wanted):
        return PortChoice(wanted)
    holder = None if wanted in avoid else holder_of(wanted)
    for candidate in range(wanted + 1, min(wanted + 100, 65536)):
        if candidate not in avoid and is_free(candidate):
            return PortChoice(candidate, taken=wanted, holder=holder)
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((LOOPBACK, 0))
            port: int = sock.getsockname()[1]
        if port not in avoid:
            return PortChoice(port, taken=wanted, holder=holder)


def holder_of(port: int) -> str | None:
    """`python3 (pid 4711)` for the process that listens on `port`, or that it is a container's; None if unseen."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return "a process of another user"
                name = psutil.Process(connection.pid).name()
                if name == "docker-proxy":
                    # The engine's own program, which tells nobody anything.
                    return f"a container (docker ps --filter publish={port} names it)"
                return f"{name} (pid {connection.pid})"
    return None


def listens(port: int, session: int) -> bool | None:
    """Whether a process of `session` (a leader's pid) listens on `port`; None where the system does not tell.

    A service that carries no mark of ours in its answers is known by this to be ours.
    """
    if sys.platform != "linux":
        return None
    inodes = _listening_inodes(port)
    if not inodes:
        return False
    links = {f"socket:[{inode}]" for inode in inodes}
    return any(links & _links(pid) for pid in _members(session))


def _listening_inodes(port: int) -> set[str]:
    suffix = f":{port:04X}"
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(suffix) and fields[3] == _LISTEN:
                    found.add(fields[9])
    return found


def _members(session: int) -> Iterator[int]:
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry)) == session:
                    yield int(entry)


def _links(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))  # noqa: PTH115 - not a path
    return found
