"""Log files of services: private, appended to, bounded, the previous start's kept beside the current one."""

from __future__ import annotations

import os
from pathlib import Path

#: A log that has grown beyond this is moved aside to `<name>.log.1`.
LOG_LIMIT_BYTES = 5_000_000
_TAIL_BYTES = 16_384


def open_log(path: Path) -> int:
    """A file descriptor to append to `path` (0600), the previous log moved aside once it is large; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(_aside(path))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def begin_logs(folder: Path, keep: frozenset[str] = frozenset()) -> None:
    """Move every log of the previous start aside but those named in `keep`, so that a log shows this start only.

    Raises OSError.
    """
    for log in folder.glob("*.log"):
        if log.name not in keep and log.stat().st_size:
            log.replace(_aside(log))


def trim(path: Path, limit: int = LOG_LIMIT_BYTES) -> bool:
    """Move the content of a log that is being written aside once it is larger than `limit` bytes; whether it was.

    The writer goes on with the same file: it was opened for appending, so it continues at the new end.
    """
    import shutil  # late: it brings every compression module, and the fork server has no use for it

    try:
        if path.stat().st_size <= limit:
            return False
        shutil.copyfile(path, _aside(path))
        _aside(path).chmod(0o600)
        os.truncate(path, 0)
    except OSError:
        return False
    return True


def tail(path: Path, lines: int = 10) -> tuple[str, ...]:
    """The last `lines` lines of a log, empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.rstrip("\n").splitlines()[-lines:])


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".1")
