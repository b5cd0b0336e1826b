"""What a test's runs tell of themselves: their spans, log records and lineage, kept in the test's own folder.

The folder is laid out like a project's, so the commands and the dashboard read it as they read a project.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.model.layout import Layout

if TYPE_CHECKING:
    from floe_dev.model.lineage import LineageEvent
    from floe_dev.model.traces import LogRecord, Span, Trace
    from floe_dev.telemetry.query import TelemetryReader
    from floe_dev.tracing.context import SpanContext
    from floe_dev.tracing.record import OpenSpan


@dataclass(frozen=True)
class Lineage:
    """What a run read and wrote, as its OpenLineage events tell; datasets are `namespace.table`."""

    events: tuple[LineageEvent, ...] = field(repr=False)

    @cached_property
    def edges(self) -> frozenset[tuple[str, str]]:
        """Pairs of a dataset and one that was made from it."""
        return frozenset((one, other) for event in self.events for one in event.inputs for other in event.outputs)

    @cached_property
    def written(self) -> frozenset[str]:
        """The datasets that were written."""
        return frozenset(name for event in self.events if event.event_type == "COMPLETE" for name in event.outputs)

    def upstream(self, dataset: str) -> frozenset[str]:
        """What `dataset` was made from, directly."""
        return frozenset(one for one, other in self.edges if other == dataset)

    def downstream(self, dataset: str) -> frozenset[str]:
        """What was made from `dataset`, directly."""
        return frozenset(other for one, other in self.edges if one == dataset)


class Recording:
    """Where one lakehouse's runs record themselves."""

    def __init__(self, root: Path) -> None:
        """`root` is laid out like a project's folder; nothing is made before the first run."""
        self.layout = Layout(root)

    @contextlib.contextmanager
    def run(self, name: str, variables: Mapping[str, str], trace: SpanContext | None = None) -> Iterator[OpenSpan]:
        """Record what happens in this process meanwhile as one trace, with `variables` in its environment.

        Its root is a span `name`, except where `trace` is the root that what happens records itself.
        """
        from floe_dev.tracing import spool
        from floe_dev.tracing.context import VARIABLE, SpanContext, enter, new_span_id, new_trace_id, within
        from floe_dev.tracing.record import OpenSpan, record

        root = trace or SpanContext(new_trace_id(), new_span_id())
        told = {**variables, spool.VARIABLE: str(self.layout.telemetry_dir / "spool"), VARIABLE: root.traceparent()}
        opened, started = OpenSpan(root), time.time_ns()
        with changed_environment(told), within(root):
            spool.configure_from_environment("pytest")
            try:
                yield opened
            finally:
                if trace is None:
                    # What ran may have recorded under a name of its own; the root is the test's.
                    spool.configure_from_environment("pytest")
                    enter(root)
                    record(
                        name,
                        root,
                        parent_id=None,
                        start_ns=started,
                        end_ns=time.time_ns(),
                        attributes=opened.attributes,
                        error=opened.error,
                    )
                spool.configure(None, "pytest")

    def reader(self) -> TelemetryReader:
        """Everything that was recorded so far."""
        from floe_dev.telemetry.collect import collect
        from floe_dev.telemetry.query import TelemetryReader
        from floe_dev.telemetry.schema import store_file

        collect(self.layout.telemetry_dir / "spool", store_file(self.layout))
        return TelemetryReader(self.layout)

    def trace(self, trace_id: str) -> Trace:
        """A whole trace; LookupError where nothing of it was recorded."""
        found = self.reader().trace(trace_id)
        if found is None:
            raise LookupError(f"no span of the trace {trace_id} was recorded")
        return found

    def logs(self, trace_id: str) -> list[LogRecord]:
        """A trace's log records, oldest first."""
        return self.reader().logs(trace_id)

    def lineage(self, since: float) -> Lineage:
        """The lineage events from `since` (seconds since the epoch) on, oldest first."""
        events = [event for event in self.reader().lineage_events(limit=10_000) if event.time >= since]
        return Lineage(tuple(reversed(events)))


def spans_named(trace: Trace, name: str) -> list[Span]:
    """The spans of `trace` called `name`, by start time."""
    return [span for span in trace.spans if span.name == name]


@contextlib.contextmanager
def changed_environment(values: Mapping[str, str]) -> Iterator[None]:
    """This process's environment with `values`; afterwards as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
