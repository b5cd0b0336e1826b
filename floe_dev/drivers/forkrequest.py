"""Ask the stack's fork server for a process, from any process of the stack (such as a run launcher)."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Environment variable with the path of the fork server's socket; set for every service where there is one.
SOCKET_VARIABLE = "FLOE_FORK_SOCKET"
#: Seconds to wait for the fork: the fork server may be in the middle of an import.
TIMEOUT_SECONDS = 30.0


class Forked:
    """A process that the fork server started for us."""

    def __init__(self, pid: int, connection: socket.socket, lines: Any) -> None:
        self.pid = pid
        self._connection = connection
        self._lines = lines

    def wait(self) -> int | None:
        """Its exit status once it has ended (negative: the signal); None where the fork server ended first."""
        self._connection.settimeout(None)
        line = self._lines.readline()
        self.close()
        return json.loads(line)["status"] if line else None

    def close(self) -> None:
        """Do without the exit status; the process goes on."""
        self._lines.close()
        self._connection.close()


def fork_module(
    module: str,
    args: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
    after: str | None = None,
) -> Forked:
    """Run `python -m module args…` as a fork of what the fork server has imported, once that includes `after`.

    Raises OSError where there is no fork server or it does not answer: start the process the plain way then.
    """
    path = os.environ.get(SOCKET_VARIABLE)
    if not path:
        raise FileNotFoundError(2, "this stack has no fork server", SOCKET_VARIABLE)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_SECONDS)
    lines = None
    try:
        connection.connect(path)
        request = {
            "op": "fork",
            "id": 1,
            "module": module,
            "args": list(args),
            "env": dict(environment),
            "cwd": str(directory),
            "log": str(log),
            "after": after,
        }
        connection.sendall(json.dumps(request).encode() + b"\n")
        lines = connection.makefile("rb")
        answer = json.loads(lines.readline() or b"{}")
        if "pid" not in answer:
            raise ConnectionError(answer.get("error", "the fork server ended"))
    except BaseException:
        if lines is not None:
            lines.close()
        connection.close()
        raise
    return Forked(answer["pid"], connection, lines)
