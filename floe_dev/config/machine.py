"""What the file system refused, as an error the user can act on."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

from floe_dev.errors import Code, FloeError, Where

#: What an operation on a file can be refused for, and the code it is told with; anything else is a defect.
REFUSALS = {
    errno.ENOSPC: Code.DISK_FULL,
    errno.EDQUOT: Code.DISK_FULL,
    errno.EROFS: Code.READ_ONLY,
    errno.EACCES: Code.NO_PERMISSION,
    errno.EPERM: Code.NO_PERMISSION,
}
#: Bytes. Less than this, and not even a log line and a lock are sure to find room.
_NEXT_TO_NOTHING = 65_536


def machine_error(error: OSError, path: Path) -> FloeError:
    """FLOE9101, 9102 or 9103 for writing to `path`, which was refused."""
    code = REFUSALS.get(error.errno or 0, Code.NO_PERMISSION)
    why = error.strerror or str(error)
    return FloeError(code, f"cannot write to {path}", why=why, fix=machine_fix(code, path), where=Where(path))


def machine_fix(code: Code, path: Path) -> str:
    """The command or deed that mends what the machine refused at `path`."""
    if code is Code.DISK_FULL:
        return "free some space (`df -h` shows it), then run the command again"
    if code is Code.READ_ONLY:
        return "copy the project to a writable file system"
    there = next((folder for folder in (path, *path.parents) if folder.exists()), path)
    if there.exists() and there.stat().st_uid == os.getuid():
        return f"chmod u+rwX {shlex.quote(str(there))}"
    return f"sudo chown -R {os.getuid()} {shlex.quote(str(there))}"


def disk_is_full(folder: Path) -> bool:
    """Whether next to nothing can be written to the file system of `folder`: why a service there may have ended."""
    try:
        seen = os.statvfs(folder)
    except OSError:
        return False
    return seen.f_bavail * seen.f_frsize < _NEXT_TO_NOTHING
