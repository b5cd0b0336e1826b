"""Start one process: a session of its own, its output in a log file, the marker in its environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: A log larger than this is moved aside to `<name>.1` when its service starts.
LOG_LIMIT_BYTES = 5_000_000


def open_log(path: Path) -> int:
    """A file descriptor to append to `path` (0600), the previous log moved aside once it is large; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start `command` detached from the terminal, output appended to `log`; raises OSError."""
    output = open_log(log)
    try:
        return subprocess.Popen(
            list(command),
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def tail(path: Path, lines: int = 10) -> tuple[str, ...]:
    """The last `lines` lines of a log, empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.rstrip("\n").splitlines()[-lines:])
