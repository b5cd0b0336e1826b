"""A start's waterfall, its slowest path, and the failure of a start that took longer than its budget."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from floe_dev.cli.output import Output
from floe_dev.cli.render.traces import waterfall
from floe_dev.errors import Code, FloeError
from floe_dev.model.units import duration

if TYPE_CHECKING:
    from floe_dev.model.traces import Trace
    from floe_dev.session import Session

#: Seconds that the trace of a start may take to be stored.
_WAIT_SECONDS = 5.0


def show_start(output: Output, session: Session, seconds: float, budget: float | None, *, whole: bool) -> None:
    """Print (stderr) the latest start; raises FLOE7106 if it took more than `budget` seconds."""
    from floe_dev.telemetry.critical_path import critical_path

    trace = _start_trace(session)
    path = critical_path(trace) if trace is not None else []
    slowest = " -> ".join(f"{span.name} ({duration(span.seconds)})" for span in path)
    if whole and trace is not None:
        output.say(waterfall(trace, color=output.err_color, unicode=output.unicode, width=output.width))
        output.say(f"slowest path: {slowest}")
    if budget is not None and seconds > budget:
        raise FloeError(
            Code.BUDGET_EXCEEDED,
            f"the stack was ready after {duration(seconds)}, later than {duration(budget)}",
            why=f"the slowest path: {slowest}" if slowest else None,
            fix="floe up --trace",
        )


def _start_trace(session: Session) -> Trace | None:
    from floe_dev.supervisor.start_trace import start_context

    status = session.status()
    give_up = time.monotonic() + _WAIT_SECONDS
    while status is not None and time.monotonic() < give_up:
        trace = session.telemetry().trace(start_context(status.instance).trace_id)
        if trace is not None and trace.summary.complete:
            return trace
        time.sleep(0.1)
    return None
