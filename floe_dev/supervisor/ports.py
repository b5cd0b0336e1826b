"""The ports of several stacks that start at the same moment: chosen one after another, never the same one twice.

A port that was chosen is not open yet, so looking whether it is free is not enough.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from floe_dev.model.layout import Layout
from floe_dev.supervisor.lock import is_held
from floe_dev.supervisor.paths import runtime_dir
from floe_dev.supervisor.registry import registered

#: Seconds to wait for another stack's choice; one that takes longer is not running (stopped, a debugger).
_PATIENCE_SECONDS = 2.0


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Choose ports alone among this user's stacks."""
    descriptor = os.open(runtime_dir() / "ports.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + _PATIENCE_SECONDS
    try:
        while time.monotonic() < give_up:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def ports_of_others(root: Path) -> dict[int, Path]:
    """The ports that this user's other running stacks have chosen, open or not, and the project of each."""
    found: dict[int, Path] = {}
    for other in registered():
        if other == root or not is_held(Layout(other)):
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
            state = json.loads(Layout(other).state_file.read_text(encoding="utf-8"))
            found.update({int(port): other for port in state["ports"].values() if state.get("supervisor_pid")})
    return found
