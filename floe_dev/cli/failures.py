"""Exceptions that nobody below expected, turned into an error with a code: a full disk is told, a defect is logged."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout

_OS_ERRORS = {
    errno.ENOSPC: Code.DISK_FULL,
    errno.EDQUOT: Code.DISK_FULL,
    errno.EROFS: Code.READ_ONLY,
    errno.EACCES: Code.NO_PERMISSION,
    errno.EPERM: Code.NO_PERMISSION,
}
_FIXES = {
    Code.DISK_FULL: "free some space there (see `df -h`), then run the command again",
    Code.READ_ONLY: "work on a copy of the project in a folder you can write to",
    Code.NO_PERMISSION: "make the file or folder yours (see `ls -ld`), or work on a copy of the project",
}


def as_floe_error(error: Exception, project: Path | None) -> FloeError:
    """The error for the user: disk and permission trouble by name, all else FLOE9999 with the traceback in a file."""
    if isinstance(error, OSError) and error.errno in _OS_ERRORS:
        code = _OS_ERRORS[error.errno]
        place = f" {error.filename}" if error.filename else ""
        return FloeError(code, f"{code.kind.title}:{place}", why=error.strerror, fix=_FIXES[code])
    log = write_crash_log(error, project)
    return FloeError(
        Code.INTERNAL,
        f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else '(no message)'}",
        why=f"the whole traceback is in {log}" if log else "the traceback could not be written anywhere",
        fix="run `floe doctor`; if it finds nothing, please report this with the log",
    )


def write_crash_log(error: Exception, project: Path | None) -> Path | None:
    """Write the traceback where logs are kept, else to the temporary folder (0600); None if neither can be written."""
    name = f"floe-crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    # argv[1:2] only: the words after the command may hold a query with personal data.
    header = f"floe {' '.join(sys.argv[1:2])}\npython {platform.python_version()} on {platform.platform()}\n\n"
    text = header + "".join(traceback.format_exception(error))
    folders = [Path(tempfile.gettempdir())]
    if project is not None and Layout(project).logs_dir.is_dir():
        folders.insert(0, Layout(project).logs_dir)
    for folder in folders:
        try:
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            continue
        return folder / name
    return None
