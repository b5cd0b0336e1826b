"""Where a project's supervisor is found; without pydantic, for `floe status` asks here within its 150 ms."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

#: sockaddr_un holds 104 bytes on macOS and 108 on Linux, the end mark included.
SOCKET_PATH_LIMIT = 100


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
