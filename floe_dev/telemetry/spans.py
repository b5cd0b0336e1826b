"""Packed OTLP records as the model's spans and log records."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as PackedLog
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as PackedSpan

from floe_dev.model.traces import LogRecord, Span, SpanEvent, SpanStatus

_KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
_STATUS = (SpanStatus.UNSET, SpanStatus.OK, SpanStatus.ERROR)


def span_of(body: bytes, resource: dict[str, Any]) -> Span:
    """The span as it was received; `resource` is shared by all that are given it, and so are words that repeat."""
    packed = PackedSpan.FromString(body)
    kind, code = packed.kind, packed.status.code
    return Span(
        trace_id=sys.intern(packed.trace_id.hex()),
        span_id=packed.span_id.hex(),
        parent_id=packed.parent_span_id.hex() or None,
        name=sys.intern(packed.name),
        kind=_KINDS[kind] if kind < len(_KINDS) else "internal",
        service=sys.intern(str(resource.get("service.name", ""))),
        start_ns=packed.start_time_unix_nano,
        end_ns=packed.end_time_unix_nano,
        status=_STATUS[code] if code < len(_STATUS) else SpanStatus.UNSET,
        message=packed.status.message,
        attributes=attributes_of(packed),
        resource=resource,
        events=tuple(
            SpanEvent(name=event.name, time_ns=event.time_unix_nano, attributes=attributes_of(event))
            for event in packed.events
        ),
        links=tuple(link.trace_id.hex() for link in packed.links),
    )


def log_of(body: bytes, service: str) -> LogRecord:
    """The log record as it was received."""
    packed = PackedLog.FromString(body)
    return LogRecord(
        time_ns=packed.time_unix_nano or packed.observed_time_unix_nano,
        severity=packed.severity_text,
        body=str(_value(packed.body)),
        service=service,
        trace_id=packed.trace_id.hex() or None,
        span_id=packed.span_id.hex() or None,
        attributes=attributes_of(packed),
    )


def resource_attributes(body: bytes) -> dict[str, Any]:
    """The attributes of a packed resource."""
    return attributes_of(Resource.FromString(body))


def attributes_of(packed: Any) -> dict[str, Any]:
    """Attributes as plain values; of a key that is there twice the last."""
    return _pairs(packed.attributes)


def _pairs(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key: _value(item.value) for item in items}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)
