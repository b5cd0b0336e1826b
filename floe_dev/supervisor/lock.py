"""One supervisor per project: a file it holds locked (flock) for its whole life, which says how to reach it.

Without pydantic: `floe status` reads it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from floe_dev.model.layout import Layout

_ATTEMPTS = 3


@dataclass(frozen=True)
class Holder:
    """Who holds, or last held, the lock of the project at `root`."""

    root: str
    pid: int
    instance: str
    socket: str


class SupervisorLock:
    """The lock of this process; it ends with the process, however that ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._identity = _identity(os.fstat(descriptor))

    @classmethod
    def acquire(cls, layout: Layout) -> SupervisorLock | None:
        """The lock, or None where another supervisor of this project lives; raises OSError."""
        descriptor = os.open(layout.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for attempt in range(_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # It may only have been looked at (`is_held`), which takes no time.
                if attempt == _ATTEMPTS - 1:
                    os.close(descriptor)
                    return None
                time.sleep(0.01)
        lock = cls(layout.lock_file, descriptor)
        if not lock.in_place():  # the file was replaced between open and flock: what is locked is not what others see
            os.close(descriptor)
            return None
        return lock

    def describe(self, holder: Holder) -> None:
        """Say in the file how to reach this supervisor; raises OSError."""
        text = json.dumps(asdict(holder)).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let another supervisor have it; the end of the process does the same."""
        os.close(self._descriptor)

    def in_place(self) -> bool:
        """Whether the file is still where clients look: not so once `.floe` or the project was moved or deleted."""
        try:
            return _identity(self._path.stat()) == self._identity
        except OSError:
            return False


def read_holder(layout: Layout) -> Holder | None:
    """Who holds, or last held, the lock; None where nobody ever did, or where the file came with a copied project."""
    try:
        holder = Holder(**json.loads(layout.lock_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return holder if holder.root == str(layout.root.resolve()) else None


def is_held(layout: Layout) -> bool:
    """Whether a supervisor of this project lives."""
    try:
        descriptor = os.open(layout.lock_file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared: two who only look must not take each other for a supervisor.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _identity(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_dev, seen.st_ino
