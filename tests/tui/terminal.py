"""A program in a terminal of its own: a real pty, as small or as large as wanted."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Leave the alternate screen, show the cursor: what a program owes its terminal at the end.
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h")


class Terminal:
    """Runs `floe`, or another program, with these arguments; everything it writes is kept in `output`."""

    def __init__(
        self,
        arguments: Sequence[str],
        cwd: Path,
        size: tuple[int, int] = (100, 30),
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "floe_dev.cli"),
    ) -> None:
        """`size` in columns and rows; `program` is what Python runs."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "POLARIS_"))}
        # With COLUMNS and LINES, which a worker of pytest-xdist has, the kernel's word for the size does not count.
        for name in ("NO_COLOR", "COLORTERM", "TMUX", "COLUMNS", "LINES"):
            variables.pop(name, None)
        variables |= {"TERM": "xterm-256color", **(environment or {})}
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child becomes floe
            os.chdir(cwd)
            os.execve(sys.executable, [sys.executable, *program, *arguments], variables)
        self.resize(*size)

    def resize(self, columns: int, rows: int) -> None:
        """Another size; the kernel tells the program."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def read(self, seconds: float) -> bytes:
        """What it writes within that time."""
        give_up = time.monotonic() + seconds
        found = b""
        while (left := give_up - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            try:
                part = os.read(self.fd, 1 << 16)
            except OSError:  # the other end is gone
                break
            if not part:
                break
            found += part
        self.output += found
        return found

    def read_some(self, seconds: float) -> bytes:
        """What it writes next; nothing if it writes nothing within that time."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        found = os.read(self.fd, 1 << 16)
        self.output += found
        return found

    def wait_for(self, words: bytes, seconds: float = 60.0) -> float:
        """Seconds until it has written these words, from now on."""
        began = time.monotonic()
        found = b""
        while words not in found:
            assert time.monotonic() - began < seconds, f"{words!r} is not among {found[-2000:]!r}"
            found += self.read(0.05)
        return time.monotonic() - began

    def ended(self, seconds: float = 60.0) -> int:
        """Its exit code, once it ends by itself."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                self.read(0.1)
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it goes on: {self.output[-2000:]!r}")

    def stopped(self, seconds: float = 60.0) -> bool:
        """Whether it stopped itself (Ctrl-Z)."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                return True
        return False

    def close(self) -> None:
        """The terminal goes away, as when its window is closed."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def end(self) -> None:
        """Nothing of it is left."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()
