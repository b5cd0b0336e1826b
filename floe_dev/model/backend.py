"""What the dashboard needs from whoever starts it; everything it shows and does goes through this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from floe_dev.model.commands import Command
from floe_dev.model.details import (
    AssetDetail,
    AutomationDetail,
    Evaluation,
    LogChunk,
    LogLine,
    Rows,
    RunDetail,
    TableDetail,
    TableFiles,
    Usage,
)
from floe_dev.model.state import AutomationView, State
from floe_dev.model.traces import Trace


class Backend(Protocol):
    """A stack as seen by the dashboard.

    `state`, `copies` and `subscribe`, which calls back from any thread, answer at once; all other methods may block and
    are called in threads of their own. Every one of them raises FloeError with what the user should be told.
    """

    @property
    def state(self) -> State:
        """The latest picture."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change of `state`, from any thread; the answer ends it."""
        ...

    def send(self, command: Command) -> str:
        """Carry a command out; one line on what was done."""
        ...

    def asset(self, key: str) -> AssetDetail:
        """One asset."""
        ...

    def run(self, run_id: str) -> RunDetail:
        """One run with its events so far."""
        ...

    def table(self, identifier: str) -> TableDetail:
        """One table from metadata alone."""
        ...

    def files(self, identifier: str) -> TableFiles:
        """Files and partitions of a table's current snapshot."""
        ...

    def query(self, sql: str, limit: int = 500) -> Rows:
        """The first rows of a statement's result."""
        ...

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        """The first rows of a table, read with the rights of the reader."""
        ...

    def difference(self, identifier: str, old: int | None, new: int, limit: int = 200) -> Rows:
        """The rows that snapshot `new` has and `old` (None: nothing) has not, and the other way round.

        The first column says `+` or `-`.
        """
        ...

    def automation(self, automation: AutomationView) -> AutomationDetail:
        """The latest ticks of a schedule or a sensor, or the partitions of a backfill."""
        ...

    def evaluate(self, automation: AutomationView) -> Evaluation:
        """What a schedule or a sensor would start now."""
        ...

    def trace(self, trace_id: str) -> tuple[Trace | None, tuple[LogLine, ...]]:
        """A trace with its log records; None if it is not (or no longer) there."""
        ...

    def trace_of_run(self, run_id: str) -> str | None:
        """The id of a run's trace, if one arrived."""
        ...

    def log(self, service: str, position: int | None = None) -> LogChunk:
        """The end of a service's log, or what was written since `position`."""
        ...

    def usage(self, service: str) -> Usage | None:
        """What the service's container uses, measured for about a second; None where there is none."""
        ...

    def environment(self, service: str) -> tuple[tuple[str, str], ...]:
        """The variables that clients use, then those of the service's own process, secrets hidden."""
        ...

    def copies(self) -> tuple[tuple[str, str], ...]:
        """What can be copied for the whole stack: (what it is, text); commands as plain `floe …`."""
        ...
