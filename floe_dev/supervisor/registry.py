"""Every stack this user ever started on this machine, for `floe ps`: one small file each, no secrets."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from floe_dev.config.private import write_private
from floe_dev.supervisor.paths import project_key


def registry_dir() -> Path:
    """`$XDG_STATE_HOME/floe/stacks`, by default below `~/.local/state`."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "floe" / "stacks"


def register(root: Path) -> None:
    """Remember that a stack runs at `root`; a home that cannot be written to costs only `floe ps`."""
    with contextlib.suppress(OSError):
        write_private(registry_dir() / f"{project_key(root)}.json", json.dumps({"root": str(root.resolve())}))


def unregister(root: Path) -> None:
    """Forget the stack at `root`."""
    with contextlib.suppress(OSError):
        (registry_dir() / f"{project_key(root)}.json").unlink()


def registered() -> list[Path]:
    """The projects remembered whose folder still exists."""
    roots = []
    for file in sorted(registry_dir().glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            root = Path(json.loads(file.read_text(encoding="utf-8"))["root"])
            if root.is_dir():
                roots.append(root)
    return roots
