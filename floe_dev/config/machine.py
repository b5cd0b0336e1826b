"""What the file system refused, as an error the user can act on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from floe_dev.errors import Code, FloeError, Where

_CODES = {errno.ENOSPC: Code.DISK_FULL, errno.EDQUOT: Code.DISK_FULL, errno.EROFS: Code.READ_ONLY}
#: Bytes. Less than this, and not even a log line and a lock are sure to find room.
_NEXT_TO_NOTHING = 65_536


def machine_error(error: OSError, path: Path) -> FloeError:
    """FLOE9101, 9102 or 9103 for an operation on `path` that was refused."""
    code = _CODES.get(error.errno or 0, Code.NO_PERMISSION)
    fixes = {
        Code.DISK_FULL: "free some space (df -h shows it), then run the command again",
        Code.READ_ONLY: "copy the project to a writable file system",
        Code.NO_PERMISSION: f"chown or chmod {path}, or copy the project to a folder of yours",
    }
    return FloeError(
        code, f"cannot write to {path}", why=error.strerror or str(error), fix=fixes[code], where=Where(path)
    )


def disk_is_full(folder: Path) -> bool:
    """Whether next to nothing can be written to the file system of `folder`: why a service there may have ended."""
    try:
        seen = os.statvfs(folder)
    except OSError:
        return False
    return seen.f_bavail * seen.f_frsize < _NEXT_TO_NOTHING
