"""Answers on the supervisor's Unix socket: one JSON line asks, one or many JSON lines answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import another_version
from floe_dev.supervisor.hub import Hub, Subscription

#: One operation besides those built in: takes the request, returns what is answered.
Operation = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
#: Bytes of one request; a backfill names each of its partitions.
_LINE_LIMIT = 16 << 20
#: Seconds that clients get to read the last events.
_FLUSH_SECONDS = 1.0


class SocketServer:
    """`status`, `events`, `down` and the operations given."""

    def __init__(self, hub: Hub, operations: dict[str, Operation], stop: Callable[[], None]) -> None:
        """`stop` asks for the end of the stack; it returns at once."""
        self._hub = hub
        self._operations = operations
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """Listen on `path` (0600), which replaces a dead supervisor's socket there; raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # noqa: ASYNC240 - a socket file, at once
        if self._server is not None:
            self._server.close()
        old_mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, path=str(path), limit=_LINE_LIMIT)
        finally:
            os.umask(old_mask)

    def serve_starter(self, connection: socket.socket) -> None:
        """Send every event to whoever started this supervisor; should it leave before the stack is ready, stop."""
        # Now, not in the task: it hears everything, also of a start that fails before the task has run at all.
        subscription = self._hub.subscribe()

        async def serve() -> None:
            reader, writer = await asyncio.open_connection(sock=connection)
            await self._events(reader, writer, subscription)
            if not self._hub.ready:
                self._stop()

        self._keep(asyncio.create_task(serve(), name="starter"))

    async def close(self) -> None:
        """Accept nobody any more, and let the subscribers read what was sent."""
        if self._server is not None:
            self._server.close()
        self._hub.close()
        if self._clients:
            await asyncio.wait(self._clients, timeout=_FLUSH_SECONDS)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _keep(self, client: asyncio.Task[None]) -> None:
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.create_task(self._client(reader, writer)))

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await self._line(reader, writer):
                await self._answer(line, reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            return await reader.readline()
        except ValueError:  # longer than the limit: what follows would be read from its middle
            await _send(writer, {"error": _unclear(f"it has more than {_LINE_LIMIT >> 20} MiB").to_json()})
            return b""

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(line)
            name = request["op"]
        except (ValueError, KeyError, TypeError, RecursionError):
            name = None
        if not isinstance(name, str):
            await _send(writer, {"error": _unclear("it is no JSON object that names its `op`").to_json()})
            return
        if name == "status":
            await _send(writer, {"ok": self._hub.status().model_dump(mode="json", by_alias=True)})
        elif name == "events":
            await self._events(reader, writer, self._hub.subscribe())
        elif name == "down":
            _, queue = self._hub.subscribe()
            self._stop()
            await self._events(reader, writer, ([], queue))
        elif name in self._operations:
            try:
                await _send(writer, {"ok": await self._operations[name](request)})
            except FloeError as error:
                await _send(writer, {"error": error.to_json()})
        else:
            await _send(writer, {"error": another_version(f"the operation {name!r}").to_json()})

    async def _events(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, subscription: Subscription
    ) -> None:
        """Send events until the client leaves or the supervisor ends."""
        snapshot, queue = subscription
        gone = asyncio.create_task(reader.read())
        try:
            for event in snapshot:
                await _send(writer, event.model_dump(mode="json"))
            while not gone.done():
                following = asyncio.create_task(queue.get())
                await asyncio.wait({gone, following}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                event_or_end = following.result()
                if event_or_end is None:
                    break
                await _send(writer, event_or_end.model_dump(mode="json"))
        except ConnectionError:
            pass
        finally:
            gone.cancel()
            # Only one may read: whoever reads the next request must not meet this one.
            await asyncio.gather(gone, return_exceptions=True)
            self._hub.unsubscribe(queue)
            writer.close()


def _unclear(why: str) -> FloeError:
    return FloeError(
        Code.SUPERVISOR_FAILED,
        "the supervisor was asked something it does not understand",
        why=f"{why}; a program of another version of floe may have sent it",
        fix="floe down && floe up",
    )


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()
