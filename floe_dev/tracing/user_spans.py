"""Spans of the user's own code: where it uses OpenTelemetry's API, its spans join the trace of the run.

Nothing is imported that the user's code has not imported before. A provider that it has set up stays as it is, and gets
the parent only; without one, spans go the way of floe's own.
"""

from __future__ import annotations

import sys
from typing import Any

from floe_dev.tracing.context import SpanContext
from floe_dev.tracing.spool import attributes, spool


def follow(context: SpanContext) -> None:
    """From now on, what this thread's code begins with OpenTelemetry's API is a child of `context`."""
    if "opentelemetry.trace" not in sys.modules:
        return
    from opentelemetry import context as current
    from opentelemetry import trace

    _provide(trace)
    parent = trace.SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(1)
    )
    current.attach(trace.set_span_in_context(trace.NonRecordingSpan(parent)))


def _provide(trace: Any) -> None:
    """Record where nobody has set up recording and the SDK is installed."""
    if spool() is None or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    try:
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    except ImportError:
        return

    class ToSpool(SpanProcessor):
        def on_end(self, span: Any) -> None:
            to = spool()
            if to is not None:
                to.span(_packed(span))

    provider = TracerProvider()
    provider.add_span_processor(ToSpool())
    trace.set_tracer_provider(provider)


def _packed(span: Any) -> dict[str, Any]:
    """A finished span of the SDK in OTLP's JSON."""
    context = span.get_span_context()
    content: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": attributes(dict(span.attributes or {})),
        "status": {"code": span.status.status_code.value, "message": span.status.description or ""},
        "events": [
            {"name": event.name, "timeUnixNano": str(event.timestamp), "attributes": attributes(dict(event.attributes))}
            for event in span.events
        ],
        "links": [
            {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"}
            for link in span.links
        ],
    }
    if span.parent is not None:
        content["parentSpanId"] = f"{span.parent.span_id:016x}"
    return content
