"""Whether a service that was ready still answers.

It is told and nothing else: who restarts a server because it is slow takes away its work on top of that. A service that
answers again is ready again.

How long an answer may take: with sixteen busy programs on two processors and a run of the sample besides, the slowest
of 743 answers of web server, catalog and telemetry took 0.41 s (the median 0.05 s). Two in a row that take more than
3 s are no sign of a busy machine, then; a server that hangs is told after 6 to 8 s. A process that was stopped
(SIGSTOP) needs no such patience where the kernel says so: it is told within 2 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from floe_dev.model.stack import Probe
from floe_dev.supervisor.probe import ask

#: Seconds between two looks at a service that answers.
INTERVAL = 2.0
#: Seconds that one answer may take.
LIMIT = 3.0
#: As many looks in a row that nobody answered say that a service hangs.
MISSES = 2


async def silences(probe: Probe | None, port: int | None, instance: str, pid: int | None) -> AsyncIterator[str | None]:
    """After each look, why the service does not answer; None while it does, or may.

    `pid` is None for a container, whose process is the engine's to look at.
    """
    misses = 0
    while True:
        # After a miss at once again: that waited long enough.
        await asyncio.sleep(INTERVAL if misses in (0, MISSES) else 0.0)
        if pid is not None and _is_stopped(pid):
            yield f"its process is stopped; it goes on with: kill -CONT {pid}"
            continue
        answer = await ask(probe, port, instance, LIMIT) if probe is not None and port is not None else None
        misses = min(misses + 1, MISSES) if answer is not None and not answer.answered else 0
        yield f"hangs: {answer.seen}" if answer is not None and misses == MISSES else None


def _is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger holds the process; False where there is no /proc to say so."""
    try:
        # The name before the last parenthesis may hold anything.
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in (b"T", b"t")
