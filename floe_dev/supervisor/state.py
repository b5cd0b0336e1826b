"""What outlives one supervisor: instance, ports, versions; and where its socket is."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import uuid
from pathlib import Path

from pydantic import Field, ValidationError

from floe_dev.config.private import write_private
from floe_dev.model.base import Model
from floe_dev.model.layout import Layout

#: sockaddr_un holds 104 bytes on macOS and 108 on Linux, the end mark included.
SOCKET_PATH_LIMIT = 100


class StackState(Model):
    """`.floe/state.json`: never a secret."""

    schema_version: int = Field(default=1, alias="schemaVersion")
    #: Marks the project's processes; the same for the project's whole life, so that leftovers are always found.
    instance: str
    stack: str
    supervisor_pid: int | None = None
    ports: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    #: Whether every asset was materialized once, so that later starts need not.
    first_run_done: bool = False

    @classmethod
    def new(cls, stack: str) -> StackState:
        """The state of a project that never ran."""
        return cls(instance=uuid.uuid4().hex, stack=stack)


def load_state(layout: Layout) -> StackState | None:
    """The state as last written; None where there is none, or where it is not what we write (a damaged disk)."""
    try:
        return StackState.model_validate(json.loads(layout.state_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def save_state(layout: Layout, state: StackState) -> None:
    """Replace the state file atomically; raises OSError."""
    write_private(layout.state_file, state.model_dump_json(by_alias=True, indent=1))


def prepare_state_dir(layout: Layout) -> None:
    """Make `.floe/` (0700) with its own ignore file; raises OSError."""
    layout.state_dir.mkdir(mode=0o700, exist_ok=True)
    ignore = layout.state_dir / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    layout.logs_dir.mkdir(mode=0o700, exist_ok=True)


def runtime_dir() -> Path:
    """A short private folder of this user for sockets: `$XDG_RUNTIME_DIR/floe`, else `<tmp>/floe-<uid>`.

    Raises PermissionError where another user owns it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(base) / "floe" if base and Path(base).is_dir() else Path(tempfile.gettempdir()) / f"floe-{os.getuid()}"
    )
    if len(os.fsencode(folder)) > SOCKET_PATH_LIMIT - 20:
        folder = Path("/tmp") / f"floe-{os.getuid()}"  # noqa: S108 - checked for ownership below
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def project_key(root: Path) -> str:
    """A short name for a project: the start of the hash of its path."""
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]


def socket_path(root: Path, suffix: str = "sock") -> Path:
    """The supervisor's Unix socket (or the fork server's, by `suffix`); short whatever the project's path."""
    return runtime_dir() / f"{project_key(root)}.{suffix}"
