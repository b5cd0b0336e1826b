"""P8: the dashboard on 5,000 assets, 10,000 tables and a trace of 100,000 spans, with 200 changes a second.

Goals: key to paint 50 ms (p95), 1 % of a processor idle, 15 % under change, 200 MB, first useful paint after 700 ms.
The app runs in a pty of 200x50. A key counts from when it is typed until the last byte of what it changed has arrived
at the terminal, which then is silent for a tenth of a second. The first useful paint is that of `floe dashboard` in a
pty, on a running stack of the sample project: from the start of the process until the services stand on the screen. Run
as `python -m benchmarks.p8_dashboard`; with FLOE_P8_PROFILE naming a file, the app's profile under change is there.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

_CHANGES_PER_SECOND = 200
_SPANS = 100_000
#: Seconds without a byte after which a key has brought all it brings.
_SILENCE = 0.1


def run(seconds: float = 8.0) -> dict[str, Any]:
    """Milliseconds, percent of one processor, megabytes."""
    first = _first_paint()
    return {**first, **_measure(seconds)}


def _first_paint(times: int = 5) -> dict[str, Any]:
    """`floe dashboard` in a terminal of its own, on a stack that runs; its stack is stopped again."""
    from benchmarks.stacks import copy_sample, floe
    from tests.tui.terminal import Terminal

    with tempfile.TemporaryDirectory(prefix="floe-p8-") as folder:
        root = copy_sample(Path(folder) / "shop")
        floe(root, "up", "--no-run", "--progress", "plain")
        state = {"XDG_STATE_HOME": str(root.parent / "state")}
        services, assets = [], []
        try:
            for _ in range(times):
                began = time.perf_counter()
                terminal = Terminal(["dashboard"], root, (120, 40), state)
                terminal.wait_for(b"dagster-webserver")
                services.append(time.perf_counter() - began)
                if b"raw_customers" not in terminal.output:
                    terminal.wait_for(b"raw_customers")
                assets.append(time.perf_counter() - began)
                terminal.write(b"q")
                terminal.ended()
                terminal.end()
        finally:
            floe(root, "down")
    return {
        "floe dashboard to the services on the screen (ms)": round(statistics.median(services) * 1000),
        "floe dashboard to the assets too (ms)": round(statistics.median(assets) * 1000),
    }


def _measure(seconds: float) -> dict[str, Any]:
    import psutil

    from tests.tui.terminal import Terminal

    # What begins with FLOE_ is kept from the terminal otherwise.
    wanted = {name: value for name, value in os.environ.items() if name == "FLOE_P8_PROFILE"}
    terminal = Terminal((), Path.cwd(), (200, 50), wanted, ("-c", "import benchmarks.p8_dashboard as p; p.show()"))
    process = psutil.Process(terminal.pid)
    try:
        terminal.wait_for(b"asset_00000")
        terminal.read(2.0)
        idle = _cpu(terminal, process, seconds)
        keys = _keys(terminal, process, (b"j", b"3", b"j", b"\x1b[6~", b"2", b"j"), 60)
        os.kill(terminal.pid, signal.SIGUSR1)
        changing = _cpu(terminal, process, seconds)
        os.kill(terminal.pid, signal.SIGUSR2)
        memory = process.memory_info().rss / 1e6
        terminal.write(b"4")
        terminal.read(0.5)
        terminal.write(b"\r")
        terminal.wait_for(b"s64 ", 60)
        terminal.read(1.0)
        with_spans = process.memory_info().rss / 1e6
        waterfall = _keys(terminal, process, (b"j", b"\x1b[6~"), 40)
        terminal.write(b"q")
        terminal.ended()
    finally:
        terminal.end()
    return {
        "key to paint p50 (ms)": _part(keys[0], 0.5),
        "key to paint p95 (ms)": _part(keys[0], 0.95),
        "a key's own processor time, mean (ms)": keys[1],
        "key to paint p95, 100,000 spans (ms)": _part(waterfall[0], 0.95),
        "a key's own processor time, spans, mean (ms)": waterfall[1],
        "CPU idle (%)": round(idle, 2),
        "CPU at 200 changes/s (%)": round(changing, 1),
        "memory, assets and tables (MB)": round(memory),
        "memory, the trace of 100,000 spans open too (MB)": round(with_spans),
    }


def show() -> None:
    """The dashboard on the synthetic State, in this terminal; SIGUSR1 begins the changes and SIGUSR2 ends them."""
    asyncio.run(_show())


async def _show() -> None:
    from floe_dev.model.details import LogLine
    from floe_dev.model.state import TableView
    from floe_dev.model.traces import Trace, TraceSummary
    from floe_dev.tui.app import DashboardApp
    from tests.tui.fake import FakeBackend, asset, full, shop

    assets = [asset(f"ns{n % 50}/asset_{n:05}", "fresh", group=f"g{n % 50}") for n in range(5000)]
    tables = [
        TableView(f"ns{n % 50}.table_{n:05}", "table", n, n, 1, 1, n, "append", time.time()) for n in range(10_000)
    ]
    summary = TraceSummary(trace_id="ab" * 16, name="run", start_ns=0, end_ns=10**8, spans=_SPANS)

    class Synthetic(FakeBackend):
        """Makes the trace when it is opened, as one is read from the store."""

        def trace(self, trace_id: str) -> tuple[Trace | None, tuple[LogLine, ...]]:  # noqa: ARG002
            return _trace(summary), ()

    backend = Synthetic(shop(assets=full(*assets), tables=full(*tables), traces=full(summary)))
    changing = asyncio.Event()
    profile = cProfile.Profile() if os.environ.get("FLOE_P8_PROFILE") else None

    def begin() -> None:
        changing.set()
        if profile is not None:
            profile.enable()

    def end() -> None:
        changing.clear()
        if profile is not None:
            profile.disable()
            profile.dump_stats(os.environ["FLOE_P8_PROFILE"])

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, begin)
    loop.add_signal_handler(signal.SIGUSR2, end)
    changes = asyncio.create_task(_change(backend, tables, changing))
    await DashboardApp(backend).run_async()
    changes.cancel()


def _trace(summary: Any) -> Any:
    """A trace of 100,000 spans, each with eight children."""
    from floe_dev.model.traces import Span, Trace

    spans = tuple(
        Span(
            trace_id="ab" * 16,
            span_id=f"{n:x}",
            parent_id=f"{n // 8:x}" if n else None,
            name=f"s{n}",
            start_ns=n * 1000,
            end_ns=n * 1000 + 500_000,
        )
        for n in range(_SPANS)
    )
    return Trace(summary=summary, spans=spans)


async def _change(backend: Any, tables: list[Any], changing: asyncio.Event) -> None:
    """200 of the tables change in a second, ten at a time."""
    from tests.tui.fake import full

    number = 0
    while await changing.wait():
        for _ in range(_CHANGES_PER_SECOND // 20):
            number += 1
            place = number * 37 % len(tables)
            tables[place] = replace(tables[place], rows=number)
        backend.set(tables=full(*tables))
        await asyncio.sleep(0.05)


def _keys(terminal: Any, process: Any, keys: tuple[bytes, ...], rounds: int) -> tuple[list[float], float]:
    """Milliseconds from each key to the last byte it brought, and of processor time on the average."""
    found = []
    before = _used(process)
    for number in range(rounds):
        terminal.read(_SILENCE)
        began = time.perf_counter()
        terminal.write(keys[number % len(keys)])
        last = None
        while terminal.read_some(_SILENCE if last else 2.0):
            last = time.perf_counter()
        assert last is not None, f"{keys[number % len(keys)]!r} changed nothing"
        found.append((last - began) * 1000)
    return found, round((_used(process) - before) / rounds * 1000, 1)


def _cpu(terminal: Any, process: Any, seconds: float) -> float:
    """Percent of one processor; the terminal takes what is written meanwhile."""
    before, began = _used(process), time.monotonic()
    terminal.read(seconds)
    return (_used(process) - before) / (time.monotonic() - began) * 100


def _used(process: Any) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _part(found: list[float], part: float) -> float:
    return round(sorted(found)[int(len(found) * part)], 1)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
