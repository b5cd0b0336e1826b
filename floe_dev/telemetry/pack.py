"""OTLP's JSON, as floe's own processes write it into the spool, as packed protobuf.

protobuf's own JSON mapping walks every field in Python and asks about every exception of the format, five times the
work of everything else that is done to a span. What the spool holds knows no exceptions; what comes over HTTP does, and
goes the long way (`floe_dev.telemetry.decode`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

#: 64-bit integers, which JSON has as text.
_LONG = frozenset({"startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano", "intValue"})
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def packed(kind: str, body: Any) -> bytes | None:
    """The request of one line of the spool (`traces` or `logs`); None for what is not as floe itself writes it."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request: Any = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}.get(kind)
    try:
        return bytes(request(**_fields(body)).SerializeToString()) if request is not None else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    """A message's fields by protobuf's names."""
    found = {}
    for key, item in value.items():
        if key in _IDS:
            item = bytes.fromhex(item)
        elif key in _LONG:
            item = int(item)
        elif isinstance(item, dict):
            item = _fields(item)
        elif isinstance(item, list):
            item = [_fields(each) for each in item]
        found[_name(key)] = item
    return found


@lru_cache(256)
def _name(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()
