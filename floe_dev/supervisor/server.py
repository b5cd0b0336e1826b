"""Answers on the supervisor's Unix socket: one JSON line asks, one or many JSON lines answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.supervisor.hub import Hub

#: One operation besides status and events: takes the request, returns what is answered.
Operation = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_LINE_LIMIT = 1_000_000


class SocketServer:
    """`status`, `events` and the operations given."""

    def __init__(self, hub: Hub, operations: dict[str, Operation]) -> None:
        self._hub = hub
        self._operations = operations

    async def serve(self, path: Path) -> asyncio.Server:
        """Listen on `path` (0600), which replaces a dead supervisor's socket there."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # noqa: ASYNC240 - once, before anything is served
        old_mask = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._client, path=str(path), limit=_LINE_LIMIT)
        finally:
            os.umask(old_mask)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                await self._answer(line, writer)
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(line)
            name = request["op"]
        except (ValueError, KeyError, TypeError):
            unclear = FloeError(Code.SUPERVISOR_FAILED, "the supervisor was asked something it does not understand")
            await _send(writer, {"error": unclear.to_json()})
            return
        if name == "status":
            await _send(writer, {"ok": self._hub.status().model_dump(mode="json", by_alias=True)})
        elif name == "events":
            await self._events(writer)
        elif name in self._operations:
            try:
                await _send(writer, {"ok": await self._operations[name](request)})
            except FloeError as error:
                await _send(writer, {"error": error.to_json()})
        else:
            unknown = FloeError(
                Code.SUPERVISOR_FAILED,
                f"the supervisor does not know the operation {name!r}",
                why="it was started by another version of floe",
                fix="floe down, then floe up",
            )
            await _send(writer, {"error": unknown.to_json()})

    async def _events(self, writer: asyncio.StreamWriter) -> None:
        snapshot, queue = self._hub.subscribe()
        try:
            for event in snapshot:
                await _send(writer, event.model_dump(mode="json"))
            while True:
                await _send(writer, (await queue.get()).model_dump(mode="json"))
        finally:
            self._hub.unsubscribe(queue)


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()
