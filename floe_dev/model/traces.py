"""Traces as they were received: spans, the one line a list shows of a trace, and log records.

Times are integer nanoseconds since the epoch, as OpenTelemetry has them; ids are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field

from floe_dev.model.base import Model


class SpanStatus(StrEnum):
    """What became of a span; most never say (OpenTelemetry's `unset`), which counts as well."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened at one moment of a span, such as an exception."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One piece of work; `attributes` are the span's own, `resource` those of the process that did it.

    No `Model`, which takes three times the memory: a trace may have a hundred thousand of them.
    """

    trace_id: str
    span_id: str
    parent_id: str | None = None
    name: str
    #: internal | server | client | producer | consumer
    kind: str = "internal"
    service: str = ""
    start_ns: int
    end_ns: int
    status: SpanStatus = SpanStatus.UNSET
    #: Why it failed.
    message: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    #: One object for all spans of a process.
    resource: dict[str, Any] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    #: Trace ids of the spans it is linked to.
    links: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took; 0 where its clock went backwards."""
        return max(0, self.end_ns - self.start_ns) / 1e9


class TraceSummary(Model):
    """One trace in a list. `name` is its root's, or its earliest span's while the root has not arrived."""

    trace_id: str
    name: str
    service: str = ""
    start_ns: int
    end_ns: int
    spans: int
    errors: int = 0
    #: Of a run that was canceled: what its spans call an error is that.
    canceled: bool = False
    #: False while no span without a parent has arrived: the trace goes on, or its process was killed.
    complete: bool = True
    run_id: str | None = None
    #: Assets (`namespace/name`) that its spans name, sorted.
    assets: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return max(0, self.end_ns - self.start_ns) / 1e9

    @property
    def state(self) -> str:
        """`canceled`, `error`, `ok`, or `open` while no root span has arrived."""
        if self.canceled:
            return "canceled"
        if self.errors:
            return "error"
        return "ok" if self.complete else "open"


class Trace(Model):
    """A whole trace; `spans` by start time."""

    summary: TraceSummary
    spans: tuple[Span, ...]

    def tree(self) -> Iterator[tuple[int, Span]]:
        """Depth and span, parents before children, siblings by start time.

        Spans whose parent is not here (or that are each other's parents) stand at depth 0: each is told once.
        """
        known = {span.span_id for span in self.spans}
        children: dict[str | None, list[Span]] = {}
        for span in self.spans:
            parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else None
            children.setdefault(parent, []).append(span)
        told: set[str] = set()
        for first in (*children.get(None, ()), *self.spans):
            stack = [(0, first)]
            while stack:
                depth, span = stack.pop()
                if span.span_id in told:
                    continue
                told.add(span.span_id)
                yield depth, span
                stack.extend((depth + 1, child) for child in reversed(children.get(span.span_id, [])))


class LogRecord(Model):
    """One log line with the trace it belongs to, if it told."""

    time_ns: int
    severity: str = ""
    body: str = ""
    service: str = ""
    trace_id: str | None = None
    span_id: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class Gap(Model):
    """What did not arrive: counted where it was lost, with the last reason."""

    kind: str
    count: int
    reason: str
    last_at: float
