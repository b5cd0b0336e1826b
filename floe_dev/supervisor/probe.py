"""Readiness: ask the service over HTTP, or connect, and check that the answer is ours."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from floe_dev.drivers.ports import LOOPBACK
from floe_dev.model.stack import Probe

#: A single probe's limit in seconds; the shared deadline is the supervisor's.
PROBE_TIMEOUT = 5.0
_READ_LIMIT = 65_536
#: Seconds that a connection has to stay open to count as taken. An engine accepts for a container at once, and hangs up
#: where nothing listens in it.
_HELD_SECONDS = 0.03


@dataclass(frozen=True)
class ProbeAnswer:
    """Whether the service is ready and ours, and what was seen, for the error."""

    ready: bool
    seen: str
    foreign: bool = False
    #: Whether anything was heard at all, be it a refusal.
    answered: bool = True


async def ask(probe: Probe, port: int, instance: str, limit_seconds: float = PROBE_TIMEOUT) -> ProbeAnswer:
    """One probe; never raises."""
    try:
        async with asyncio.timeout(limit_seconds):
            return await _ask(probe, port, instance)
    except TimeoutError:
        return ProbeAnswer(False, f"no answer within {limit_seconds:g} s", answered=False)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        return ProbeAnswer(False, f"127.0.0.1:{port}: {why}", answered=False)
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return ProbeAnswer(False, f"127.0.0.1:{port} does not speak HTTP ({type(error).__name__})")


async def _ask(probe: Probe, port: int, instance: str) -> ProbeAnswer:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        if probe.path is None:
            try:
                closed = await asyncio.wait_for(reader.read(1), _HELD_SECONDS) == b""
            except TimeoutError:
                closed = False  # who waits for us to speak first
            return ProbeAnswer(not closed, f"127.0.0.1:{port} hangs up" if closed else "accepts connections")
        request = f"GET {probe.path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = (await reader.read(_READ_LIMIT)).decode("utf-8", "replace") if probe.expect else ""
    finally:
        writer.close()
    status_line, *header_lines = head.split("\r\n")
    status = int(status_line.split()[1])
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in header_lines)}
    if probe.instance_header is not None and headers.get(probe.instance_header.lower()) != instance:
        return ProbeAnswer(False, f"127.0.0.1:{port} is answered by something that is not this stack", foreign=True)
    if status != probe.status:
        return ProbeAnswer(False, f"GET {probe.path} answered {status}, not {probe.status}")
    if probe.expect is not None and probe.expect not in body:
        return ProbeAnswer(False, f"GET {probe.path} answered without {probe.expect!r}")
    return ProbeAnswer(True, f"GET {probe.path} answered {status}")
