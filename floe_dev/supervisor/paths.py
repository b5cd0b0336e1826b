"""Where a project's supervisor is found; without pydantic, for `floe status` asks here within its 150 ms."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
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
    seen = folder.lstat()  # not stat: a link that somebody else laid in /tmp may well point at a folder of ours
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise PermissionError(1, "it is not a folder of this user", str(folder))
    if seen.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


#: In the state directory of a project that ever started a container: whoever cleans up has to ask the engine.
CONTAINERS_MARK = "containers"


def project_key(root: Path) -> str:
    """A short name for a project: the start of the hash of its path."""
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]


def project_marker(root: Path) -> str:
    """What the marker of every process of this project begins with, whichever start it is of.

    It is made from the path, so that a copy of the project, state directory and all, never takes the original's
    processes for its own.
    """
    return f"{project_key(root)}-"


def new_instance(root: Path) -> str:
    """The id of one start: it marks its processes, and its services name it in their answers."""
    return project_marker(root) + secrets.token_hex(6)


def socket_path(root: Path, suffix: str = "sock") -> Path:
    """Where a new supervisor's Unix socket goes (the fork server's, by `suffix`); short whatever the project's path.

    It depends on the environment (XDG_RUNTIME_DIR, TMPDIR): who looks for a running one asks `lock.read_holder`.
    """
    return runtime_dir() / f"{project_key(root)}.{suffix}"
