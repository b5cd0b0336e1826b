"""Exceptions that nobody below expected, turned into an error with a code: a full disk is told, a defect is logged."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from pathlib import Path

from floe_dev.config.machine import REFUSALS, machine_fix
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout

#: What a package of a wrong version can look like from outside.
_INSTALLATION_SYMPTOMS = {
    Code.INTERNAL,
    Code.SUPERVISOR_FAILED,
    Code.SERVICE_FAILED,
    Code.NOT_READY,
    Code.STEP_FAILED,
    Code.DEFINITIONS_FAILED,
    Code.DBT_PARSE_FAILED,
    Code.EXTENSION_MISSING,
}


def with_installation(error: FloeError) -> FloeError:
    """`error`, or FLOE9104 in its place where a package that is missing or too old can be what is behind it."""
    if error.code not in _INSTALLATION_SYMPTOMS:
        return error
    from floe_dev.validate.versions import unfitting

    _, wrong = unfitting()
    if not wrong:
        return error
    return FloeError(
        Code.INSTALLATION,
        "a package is not the one that floe needs: " + "; ".join(wrong),
        why=f"that is the likely cause of {error.code.id}: {error.what}" + (f" ({error.why})" if error.why else ""),
        detail=error.detail,
        fix=f"{shlex.quote(sys.executable)} -m pip install --upgrade floe_dev",
    )


def as_floe_error(error: Exception, project: Path | None) -> FloeError:
    """The error for the user: disk and permission trouble by name, all else FLOE9999 with the traceback in a file."""
    if isinstance(error, OSError) and error.errno in REFUSALS:
        code, file = REFUSALS[error.errno], str(error.filename or "")
        return FloeError(code, f"{code.kind.title}: {file}", why=error.strerror, fix=machine_fix(code, Path(file)))
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
