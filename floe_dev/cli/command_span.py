"""A span for every `floe` command that works on a project which has been up before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class CommandRun:
    """What is known of the command when it has ended."""

    name: str = ""
    project: Path | None = None
    exit_code: int = 0


@contextmanager
def command_span() -> Iterator[CommandRun]:
    """Record the block as the root span of a trace of its own.

    Name and exit code are kept, the arguments never: they may hold SQL or secrets. Nothing is imported before the
    command has ended; then it is a file written in a millisecond.
    """
    run = CommandRun()
    began, clock = time.time_ns(), time.perf_counter_ns()
    try:
        yield run
    finally:
        if run.name and run.project is not None:
            _record(run, began, began + time.perf_counter_ns() - clock)


def _record(run: CommandRun, began: int, ended: int) -> None:
    from floe_dev.model.layout import Layout

    assert run.project is not None
    folder = Layout(run.project).telemetry_dir
    if not folder.is_dir():
        return
    from floe_dev.tracing.context import SpanContext, new_span_id, new_trace_id
    from floe_dev.tracing.record import record
    from floe_dev.tracing.spool import configure, spool

    configure(folder / "spool", "floe")
    record(
        f"floe {run.name}",
        SpanContext(new_trace_id(), new_span_id()),
        parent_id=None,
        start_ns=began,
        end_ns=ended,
        attributes={"floe.command": run.name, "floe.exit_code": run.exit_code},
        error=f"exit code {run.exit_code}" if run.exit_code else None,
    )
    to = spool()
    if to is not None:
        to.flush()
