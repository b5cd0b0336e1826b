"""The status as plain JSON, without pydantic: what `floe status`, `floe ps` and the choice of a project ask."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from floe_dev.model.layout import Layout
from floe_dev.supervisor.lock import read_holder
from floe_dev.supervisor.registry import registered

#: A supervisor answers within milliseconds; one that is stopped (SIGSTOP, a debugger) must not hang `floe status`.
_TIMEOUT_SECONDS = 3.0


def quick_status(root: Path) -> dict[str, Any] | None:
    """What `client.status` answers, as its JSON form; None where no supervisor runs or none answers."""
    holder = read_holder(Layout(root.resolve()))
    if holder is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.connect(holder.socket)
            connection.sendall(b'{"op": "status"}\n')
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline() or b"{}")
        except (OSError, ValueError):
            return None
    found = answer.get("ok")
    return found if isinstance(found, dict) else None


def running_projects() -> list[Path]:
    """The roots of this user's running stacks."""
    return [root for root in registered() if quick_status(root) is not None]
