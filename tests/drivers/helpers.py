"""Waiting and looking at processes, for tests that start real ones."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from floe_dev.drivers.markers import is_zombie


def alive(pid: int) -> bool:
    """Whether `pid` still runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not is_zombie(pid)


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Fail with `what` unless `condition` holds within `seconds`."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def number_in(path: Path) -> int:
    """The pid a test program wrote into `path`, once it is there whole."""
    eventually(lambda: path.exists() and path.read_text().endswith("\n"), f"{path} was never written")
    return int(path.read_text())


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
