"""The supervisor's side of the fork server: start it, ask it for services, hear when they end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from floe_dev.drivers.process import open_log


def supported() -> bool:
    """Whether services are forked: on Linux, unless FLOE_FORK=0 (macOS's frameworks do not survive a fork)."""
    return sys.platform == "linux" and os.environ.get("FLOE_FORK") != "0"


class ForkClient:
    """One fork server. `start` may be called before any event loop runs, so that its imports begin at once."""

    def __init__(self, path: Path, preload: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start the process; raises OSError."""
        self.path = path
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Event | None = None
        ours, theirs = socket.socketpair()
        output = open_log(log)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "floe_dev.drivers.forkserver", str(path), *preload],
                env=dict(environment),
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(output)
            theirs.close()
        self._socket = ours

    async def listen(self) -> None:
        """Read answers until the fork server ends; every child it had counts as ended then (they die with it)."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._connected().set()
        while line := await reader.readline():
            message: dict[str, Any] = json.loads(line)
            if "exit" in message:
                exited = self._exits.setdefault(message["exit"], asyncio.get_running_loop().create_future())
                if not exited.done():
                    exited.set_result(message["status"])
            else:
                self._answers.pop(message["id"]).set_result(message["pid"])
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the fork server ended"))
        for exited in self._exits.values():
            if not exited.done():
                exited.set_result(-9)

    def _connected(self) -> asyncio.Event:
        if self._listening is None:
            self._listening = asyncio.Event()
        return self._listening

    @property
    def alive(self) -> bool:
        """Whether the fork server still runs."""
        return self.process.poll() is None

    async def fork(
        self,
        module: str,
        args: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        after: str | None,
    ) -> int:
        """Fork `python -m module args…` once `after` is loaded; returns its pid. Raises ConnectionError."""
        await self._connected().wait()
        if self._writer is None:
            raise ConnectionError("the fork server is closed")
        number = next(self._ids)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        request = {
            "id": number,
            "module": module,
            "args": list(args),
            "env": dict(environment),
            "cwd": str(directory),
            "log": str(log),
            "after": after,
        }
        self._writer.write(json.dumps(request).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        pid = await answer
        self._exits.setdefault(pid, asyncio.get_running_loop().create_future())
        return pid

    async def wait(self, pid: int) -> int:
        """The exit status of a forked child."""
        return await asyncio.shield(self._exits[pid])

    def close(self) -> None:
        """Let the fork server end: it leaves when this end of its socket closes."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
