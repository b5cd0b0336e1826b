"""Traces as OTLP's JSON: one ExportTraceServiceRequest a line, as collectors' file receivers and viewers load it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from floe_dev.telemetry.query import TelemetryReader

_IDS = {"traceId", "spanId", "parentSpanId"}


def otlp_documents(reader: TelemetryReader, trace_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One document for each trace."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    for trace_id in trace_ids:
        request = ExportTraceServiceRequest()
        for resource, bodies in reader.otlp([trace_id]):
            group = request.resource_spans.add(resource=Resource.FromString(resource))
            group.scope_spans.add(spans=[Span.FromString(body) for body in bodies])
        # Enumerations are numbers in OTLP's JSON.
        yield _with_hex(MessageToDict(request, use_integers_for_enums=True))


def otlp_lines(reader: TelemetryReader, trace_ids: Iterable[str]) -> Iterator[str]:
    """One JSON line for each trace."""
    for document in otlp_documents(reader, trace_ids):
        yield json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _with_hex(value: Any) -> Any:
    """Protobuf writes bytes as base64, OTLP's JSON writes ids in hex."""
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _IDS and isinstance(item, str) else _with_hex(item)
            for key, item in value.items()
        }
    return [_with_hex(item) for item in value] if isinstance(value, list) else value
