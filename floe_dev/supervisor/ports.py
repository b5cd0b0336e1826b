"""Which ports this user's stacks have chosen: a locked file each, for as long as its supervisor lives.

A port that was chosen is not open yet, so looking whether it is free is not enough: of two stacks that start at the
same moment each would take the other's. The kernel drops the locks with the process, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from floe_dev.drivers.ports import PortChoice, choose
from floe_dev.supervisor.paths import runtime_dir


class PortClaims:
    """The ports of one stack; claimed ones are never chosen by another of this user's stacks."""

    def __init__(self, root: Path) -> None:
        """Claim nothing yet; `root` is what another stack is told of who has a port."""
        self._root = root
        self._held: dict[int, int] = {}

    def choose(self, wanted: int) -> PortChoice:
        """`wanted` where it is free and nobody's, else another, claimed until this process ends; raises OSError."""
        avoid: set[int] = set(self._held)
        first: PortChoice | None = None
        while True:
            choice = choose(wanted, avoid=frozenset(avoid))
            owner = self._claim(choice.port)
            if owner is None:
                return choice if first is None else PortChoice(choice.port, first.port, first.holder)
            # Free for now, but another stack is about to open it.
            avoid.add(choice.port)
            first = first or PortChoice(wanted, holder=f"the stack in {owner}")

    def _claim(self, port: int) -> str | None:
        """None once the port is ours; else the project that has it."""
        folder = runtime_dir() / "ports"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(OSError):
                owner = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
                os.close(descriptor)
                return owner or "another folder"
            return "another folder"
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, os.fsencode(self._root), 0)
        self._held[port] = descriptor
        return None
