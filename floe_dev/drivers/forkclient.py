"""The supervisor's side of the fork server: ask it for services, hear when they end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LINE_LIMIT = 1 << 20


class ForkClient:
    """One fork server; `listen` must run for the answers to arrive."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self.process = process
        self._control = control
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._connected = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self.alive = True

    async def listen(self) -> None:
        """Read answers until the fork server ends; every child it had is killed and counts as ended then."""
        reader, self._writer = await asyncio.open_connection(sock=self._control, limit=_LINE_LIMIT)
        self._connected.set()
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    self._take(json.loads(line))
        finally:
            self.alive = False
            self._connected.set()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the fork server ended"))
            for pid, exited in self._exits.items():
                if not exited.done():
                    # It was asked to end by the kernel already; now its port must be free for the next one.
                    _kill_group(pid)
                    exited.set_result(-signal.SIGKILL)
            self.process.poll()

    def _take(self, message: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        if "exit" in message:
            exited = self._exits.setdefault(message["exit"], loop.create_future())
            if not exited.done():
                exited.set_result(message["status"])
            return
        answer = self._answers.pop(message["id"], None)
        if "error" in message:
            if answer is not None and not answer.done():
                answer.set_exception(ConnectionError(f"the fork server cannot fork: {message['error']}"))
        elif answer is None or answer.done():
            _kill_group(message["pid"])  # whoever asked has given up meanwhile
        else:
            answer.set_result(message["pid"])

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
        await self._connected.wait()
        if not self.alive or self._writer is None:
            raise ConnectionError("the fork server ended")
        number = next(self._ids)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        request = {
            "op": "fork",
            "id": number,
            "module": module,
            "args": list(args),
            "env": dict(environment),
            "cwd": str(directory),
            "log": str(log),
            "after": after,
        }
        self._writer.write(json.dumps(request).encode() + b"\n")
        pid = await answer
        self._exits.setdefault(pid, asyncio.get_running_loop().create_future())
        return pid

    def load(self, modules: Sequence[str]) -> None:
        """Have the fork server import these too, between the requests that it is asked."""
        if self.alive and self._writer is not None and modules:
            self._writer.write(json.dumps({"op": "load", "modules": list(modules)}).encode() + b"\n")

    def wait(self, pid: int) -> asyncio.Future[int]:
        """The exit status of a forked child, in time."""
        return self._exits[pid]

    def close(self) -> None:
        """Let the fork server end: it leaves when this end of its socket closes."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._control.close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
