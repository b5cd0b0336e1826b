"""Ports on 127.0.0.1: take the wanted one if it is free, else another, and say who holds it."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


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
        except OSError:
            return False
    return True


def choose(wanted: int, avoid: frozenset[int] = frozenset()) -> PortChoice:
    """`wanted` if it is free, else the next free one above it, else any; never one of `avoid`."""
    if wanted not in avoid and is_free(wanted):
        return PortChoice(wanted)
    for candidate in range(wanted + 1, min(wanted + 100, 65536)):
        if candidate not in avoid and is_free(candidate):
            return PortChoice(candidate, taken=wanted, holder=holder_of(wanted))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((LOOPBACK, 0))
        port: int = sock.getsockname()[1]
    return PortChoice(port, taken=wanted, holder=holder_of(wanted))


def holder_of(port: int) -> str | None:
    """`python3 (pid 4711)` for the process that listens on `port`; None where that cannot be seen."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return "a process of another user"
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None
