"""Recording spans: `with span(...)` around work done here, `record` for work that others timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from floe_dev.tracing.context import SpanContext, current, new_span_id, new_trace_id, within
from floe_dev.tracing.redact import redacted
from floe_dev.tracing.spool import attributes as packed
from floe_dev.tracing.spool import spool

Kind = Literal["internal", "server", "client"]
_KINDS: dict[Kind, int] = {"internal": 1, "server": 2, "client": 3}
#: Characters of an error message that are kept.
_MESSAGE = 2_000
_SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "WARN": 13, "ERROR": 17, "CRITICAL": 21}


@dataclass
class OpenSpan:
    """A span that is not finished: more can be said of it."""

    context: SpanContext
    attributes: dict[str, Any] = field(default_factory=dict)
    #: Why it failed; None as long as it did not.
    error: str | None = None


@contextmanager
def span(name: str, attributes: dict[str, Any] | None = None, kind: Kind = "internal") -> Iterator[OpenSpan]:
    """Record the block as a child of the current span; an exception that leaves it is the span's error."""
    parent = current()
    opened = OpenSpan(SpanContext(parent.trace_id if parent else new_trace_id(), new_span_id()), dict(attributes or {}))
    if spool() is None:
        yield opened
        return
    started, clock = time.time_ns(), time.perf_counter_ns()
    try:
        with within(opened.context):
            yield opened
    except BaseException as error:
        opened.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        record(
            name,
            opened.context,
            parent_id=parent.span_id if parent else None,
            start_ns=started,
            end_ns=started + time.perf_counter_ns() - clock,
            attributes=opened.attributes,
            error=opened.error,
            kind=kind,
        )


def record(
    name: str,
    context: SpanContext,
    *,
    parent_id: str | None,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, Any] | None = None,
    error: str | None = None,
    canceled: bool = False,
    kind: Kind = "internal",
    links: tuple[SpanContext, ...] = (),
) -> None:
    """Record a span whose times (nanoseconds since the epoch) are known; nothing where nothing is recorded.

    What was `canceled` has OpenTelemetry's status unset: it neither failed nor succeeded.
    """
    to = spool()
    if to is None:
        return
    content: dict[str, Any] = {
        "traceId": context.trace_id,
        "spanId": context.span_id,
        "name": name,
        "kind": _KINDS[kind],
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(max(start_ns, end_ns)),
        "attributes": packed(attributes or {}),
        "status": _status(error, canceled=canceled),
    }
    if parent_id is not None:
        content["parentSpanId"] = parent_id
    if links:
        content["links"] = [{"traceId": link.trace_id, "spanId": link.span_id} for link in links]
    to.span(content)


def _status(error: str | None, *, canceled: bool) -> dict[str, Any]:
    if error is not None:
        return {"code": 2, "message": redacted(error)[:_MESSAGE]}
    return {} if canceled else {"code": 1}


def record_log(
    text: str, severity: str, context: SpanContext | None = None, attributes: dict[str, Any] | None = None
) -> None:
    """Record a log line of the span `context` (default: the current one)."""
    to = spool()
    if to is None:
        return
    context = context or current()
    content: dict[str, Any] = {
        "timeUnixNano": str(time.time_ns()),
        "severityText": severity,
        "severityNumber": _SEVERITIES.get(severity, 9),
        "body": {"stringValue": redacted(text).encode("utf-8", "replace").decode()[:20_000]},
        "attributes": packed(attributes or {}),
    }
    if context is not None:
        content |= {"traceId": context.trace_id, "spanId": context.span_id}
    to.log(content)


def record_lineage(event: dict[str, Any]) -> None:
    """Record one OpenLineage event."""
    to = spool()
    if to is not None:
        to.lineage(event)
