"""The status as plain JSON, without pydantic: what `floe status`, `floe ps` and the choice of a project ask."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.supervisor.lock import Holder, read_holder
from floe_dev.supervisor.registry import registered

#: A supervisor answers within milliseconds; one that is stopped (SIGSTOP, a debugger) must not hang who asks it.
TIMEOUT_SECONDS = 3.0


def quick_status(root: Path) -> dict[str, Any] | None:
    """The stack as last seen, in its JSON form; None where no supervisor runs.

    Raises FloeError 2002 where one runs and does not answer.
    """
    holder = read_holder(Layout(root.resolve()))
    if holder is None:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            connection.connect(holder.socket)
            connection.sendall(b'{"op": "status"}\n')
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline() or b"{}")
        except TimeoutError as late:
            raise _hangs(holder) from late
        except (OSError, ValueError):
            return None
    found = answer.get("ok")
    return found if isinstance(found, dict) else None


def running_projects() -> list[Path]:
    """The roots of this user's running stacks, those whose supervisor hangs too."""
    return [root for root in registered() if _runs(root)]


def _hangs(holder: Holder) -> FloeError:
    """The error of a supervisor that lives and does not answer."""
    return FloeError(
        Code.SUPERVISOR_FAILED,
        "the supervisor does not answer",
        why=f"its process {holder.pid} lives, and was silent for {TIMEOUT_SECONDS:g} s: it is stopped, or it hangs",
        fix="floe down && floe up",
    )


def _runs(root: Path) -> bool:
    try:
        return quick_status(root) is not None
    except FloeError:
        return True
