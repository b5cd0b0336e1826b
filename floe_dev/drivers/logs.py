"""Log files of services: private, appended to, bounded, the previous start's kept beside the current one.

`a.log` is what is being written. What went beyond the limit is in `a.log.1`, and readers go over both as if they were
one file; what the previous start left is in `a.log.previous`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
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
        if log.name not in keep:
            _aside(log).unlink(missing_ok=True)
            if log.stat().st_size:
                log.replace(log.with_name(log.name + ".previous"))


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


@dataclass(frozen=True)
class LogBytes:
    """A piece of a log; `end` is where reading goes on, in bytes of the file that is written now.

    What was moved aside has positions below zero. `cut`: what was asked for begins before this piece. `restarted`: the
    log that was read before is gone.
    """

    content: bytes
    end: int
    cut: bool
    restarted: bool = False


def read_log_bytes(path: Path, position: int | None = None, limit: int | None = None) -> LogBytes:
    """The end of a log (`position` None) or what was written since, at most the last `limit` bytes; raises OSError.

    A log that was moved aside since is read to its end first. One that is not there is empty.
    """
    aside = _size(_aside(path))
    size = _size(path)
    restarted = False
    if position is None:
        asked = -aside
    elif position <= size:
        asked = max(position, -aside)
    elif position <= aside:
        asked = position - aside  # a position in what was moved aside since
    else:
        asked, restarted = 0, True
    start = asked if limit is None else max(asked, size - limit)
    content = b""
    if start < 0:
        content = _read(_aside(path), aside + start, -start)
    if size > 0:
        content += _read(path, max(start, 0), size - max(start, 0))
    return LogBytes(content, size, cut=start > asked, restarted=restarted)


def tail(path: Path, lines: int = 10) -> tuple[str, ...]:
    """The last `lines` lines of a log, empty where there is none."""
    try:
        text = read_log_bytes(path, limit=_TAIL_BYTES).content.decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.rstrip("\n").splitlines()[-lines:])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(path: Path, start: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(count)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".1")
