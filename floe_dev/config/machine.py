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
#: Something of another kind has the name that is to be written.
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)
#: Bytes. Less than this, and not even a log line and a lock are sure to find room.
_NEXT_TO_NOTHING = 65_536


def machine_error(error: OSError, path: Path) -> FloeError:
    """FLOE9101, 9102, 9103 or 9105 for writing to `path`, which was refused."""
    if error.errno in _IN_THE_WAY:
        # A file is written under another name first: only its renaming meets what is there.
        return _in_the_way(Path(error.filename2 or path))
    code = REFUSALS.get(error.errno or 0, Code.NO_PERMISSION)
    why = error.strerror or str(error)
    return FloeError(code, f"cannot write to {path}", why=why, fix=machine_fix(code, path), where=Where(path))


def _in_the_way(path: Path) -> FloeError:
    while not path.exists() and path != path.parent:
        path = path.parent
    kind = "a folder" if path.is_dir() else "a file"
    return FloeError(
        Code.IN_THE_WAY,
        f"{kind} is where floe has to write {path}",
        why="floe did not make it, so it is left alone",
        fix=f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}",
        where=Where(path),
    )


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
