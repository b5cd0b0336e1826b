"""What killed supervisors leave in the folder of sockets is removed, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from pathlib import Path

from floe_dev.supervisor.sockets import sweep_sockets


def bound(stack: contextlib.ExitStack, path: Path, *, age: float) -> socket.socket:
    own = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    own.bind(str(path))
    then = time.time() - age
    os.utime(path, (then, then))
    return own


def test_only_old_sockets_that_nobody_listens_on_go() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s-")))
        for name in ("dead.sock", "dead.fork"):
            bound(stack, folder / name, age=3600).close()
        bound(stack, folder / "living.sock", age=3600).listen()
        bound(stack, folder / "starting.sock", age=0)
        bound(stack, folder / "somebody.else", age=3600).close()
        (folder / "a-file.sock").touch()
        os.utime(folder / "a-file.sock", (0, 0))
        assert {path.name for path in sweep_sockets(folder)} == {"dead.sock", "dead.fork"}
        left = {path.name for path in folder.iterdir()}
        assert left == {"living.sock", "starting.sock", "somebody.else", "a-file.sock"}
