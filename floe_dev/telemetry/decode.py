"""OTLP requests as rows: bytes in, rows and rejections out; nothing here knows the database or HTTP."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

#: Attributes kept of one span or log record; more are counted as dropped.
MAX_ATTRIBUTES = 512
#: Largest span or log record in bytes; a larger one is rejected.
MAX_RECORD_BYTES = 1_000_000
_MAX_TIME = 2**63 - 1
_HEX_KEYS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
#: Span attributes that find a trace, by the name they are kept under.
INDEXED = {
    "floe.run.id": "run",
    "floe.run.outcome": "outcome",
    "floe.asset": "asset",
    "floe.assets": "asset",
    "floe.snapshot": "snapshot",
    "floe.table": "table",
    "floe.principal": "principal",
}
#: A span that names table and snapshot is found by both together too, under `commit`.
COMMIT_SEPARATOR = "\x1f"
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


class BadRequestError(ValueError):
    """The body is not what its content type says."""


@dataclass
class SpanRow:
    """One span, ready to be stored."""

    trace_id: bytes
    span_id: bytes
    is_root: bool
    name: str
    service: str
    start_ns: int
    end_ns: int
    error: bool
    resource: bytes
    body: bytes
    keys: list[tuple[str, str]]


@dataclass
class Decoded:
    """What one request brought."""

    spans: list[SpanRow] = field(default_factory=list)
    #: trace id or None, time in ns, service, body, digest
    logs: list[tuple[bytes | None, int, str, bytes, bytes]] = field(default_factory=list)
    #: name, service, body
    metrics: list[tuple[str, str, bytes]] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""

    def reject(self, reason: str) -> None:
        """Count one record that is not kept."""
        self.rejected += 1
        self.reason = reason


def decode_traces(body: bytes, *, as_json: bool) -> Decoded:
    """The spans of an ExportTraceServiceRequest; raises BadRequestError."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = _parse(ExportTraceServiceRequest, body, as_json=as_json)
    found = Decoded()
    for group in request.resource_spans:
        resource = group.resource.SerializeToString()
        shared = [(INDEXED[a.key], a.value.string_value) for a in group.resource.attributes if a.key in INDEXED]
        service = _service(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                row = _span(span, resource, service, shared, found)
                if row is not None:
                    found.spans.append(row)
    return found


def decode_logs(body: bytes, *, as_json: bool) -> Decoded:
    """The records of an ExportLogsServiceRequest; raises BadRequestError."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = _parse(ExportLogsServiceRequest, body, as_json=as_json)
    found = Decoded()
    for group in request.resource_logs:
        service = _service(group.resource.attributes)
        for scope in group.scope_logs:
            for record in scope.log_records:
                row = _log(record, service, found)
                if row is not None:
                    found.logs.append(row)
    return found


def decode_metrics(body: bytes, *, as_json: bool) -> Decoded:
    """The metrics of an ExportMetricsServiceRequest; raises BadRequestError."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    request = _parse(ExportMetricsServiceRequest, body, as_json=as_json)
    found = Decoded()
    for group in request.resource_metrics:
        service = _service(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                packed = metric.SerializeToString()
                if not metric.name:
                    found.reject("a metric has no name")
                elif len(packed) > MAX_RECORD_BYTES:
                    found.reject(f"a metric is larger than {MAX_RECORD_BYTES} bytes")
                else:
                    found.metrics.append((metric.name, service, packed))
    return found


def _parse(kind: Any, body: bytes, *, as_json: bool) -> Any:
    from google.protobuf.json_format import ParseDict, ParseError
    from google.protobuf.message import DecodeError

    try:
        if not as_json:
            return kind.FromString(body)
        document = json.loads(body)
        if not isinstance(document, dict):
            raise BadRequestError("the body is not a JSON object")
        return ParseDict(_with_bytes(document), kind(), ignore_unknown_fields=True)
    except (DecodeError, ParseError, RecursionError, ValueError, TypeError) as error:
        raise BadRequestError(f"the body is not an {kind.DESCRIPTOR.name}: {str(error)[:200]}") from error


def _with_bytes(value: Any) -> Any:
    """OTLP's JSON has ids in hex where protobuf's own mapping has base64."""
    if isinstance(value, dict):
        return {
            key: b64encode(bytes.fromhex(item)).decode()
            if key in _HEX_KEYS and isinstance(item, str)
            else _with_bytes(item)
            for key, item in value.items()
        }
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value


def _span(
    span: Span, resource: bytes, service: str, shared: Iterable[tuple[str, str]], found: Decoded
) -> SpanRow | None:
    trace_id, span_id = span.trace_id, span.span_id
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    if len(trace_id) != 16 or len(span_id) != 8 or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        found.reject("a span has no valid trace id and span id")
        return None
    if start > _MAX_TIME or end > _MAX_TIME:
        found.reject("a span's time is out of range")
        return None
    if len(span.attributes) > MAX_ATTRIBUTES:
        span.dropped_attributes_count += len(span.attributes) - MAX_ATTRIBUTES
        del span.attributes[MAX_ATTRIBUTES:]
    body = span.SerializeToString()
    if len(body) > MAX_RECORD_BYTES:
        found.reject(f"a span is larger than {MAX_RECORD_BYTES} bytes")
        return None
    keys = [(INDEXED[a.key], text) for a in span.attributes if a.key in INDEXED for text in _texts(a.value)]
    if len(keys) > 1:
        named = dict(keys)
        if "table" in named and "snapshot" in named:
            keys.append(("commit", f"{named['table']}{COMMIT_SEPARATOR}{named['snapshot']}"))
    return SpanRow(
        trace_id,
        span_id,
        not span.parent_span_id,
        span.name,
        service,
        start,
        max(start, end),
        span.status.code == 2,
        resource,
        body,
        [*shared, *keys] if shared else keys,
    )


def _log(record: LogRecord, service: str, found: Decoded) -> tuple[bytes | None, int, str, bytes, bytes] | None:
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    if time_ns > _MAX_TIME:
        found.reject("a log record's time is out of range")
        return None
    if len(record.attributes) > MAX_ATTRIBUTES:
        record.dropped_attributes_count += len(record.attributes) - MAX_ATTRIBUTES
        del record.attributes[MAX_ATTRIBUTES:]
    body = record.SerializeToString()
    if len(body) > MAX_RECORD_BYTES:
        found.reject(f"a log record is larger than {MAX_RECORD_BYTES} bytes")
        return None
    trace_id = record.trace_id if len(record.trace_id) == 16 and record.trace_id != _NO_TRACE else None
    digest = hashlib.blake2b(service.encode() + b"\0" + body, digest_size=16).digest()
    return trace_id, time_ns, service, body, digest


def _texts(value: Any) -> list[str]:
    """The text of an attribute, or each where it holds several."""
    if value.HasField("array_value"):
        return [each.string_value for each in value.array_value.values]
    return [value.string_value]


def _service(attributes: Iterable[Any]) -> str:
    return next((a.value.string_value for a in attributes if a.key == "service.name"), "")
