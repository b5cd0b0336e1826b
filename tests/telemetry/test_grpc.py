"""OTLP over gRPC: the same store, the same token, the same answers."""

from __future__ import annotations

import os
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from floe_dev.model.layout import Layout
from floe_dev.telemetry.service import grpc_environment
from tests.telemetry.receiver import TOKEN, RunningReceiver, spans, until

#: The generated stubs have no types.
TraceStub: Any = TraceServiceStub
LogsStub: Any = LogsServiceStub
MetricsStub: Any = MetricsServiceStub
ALLOWED = (("authorization", f"Bearer {TOKEN}"),)


@pytest.fixture(scope="module")
def address(running: RunningReceiver) -> str:
    until(lambda: bool(grpc_environment(Layout(running.root))), 30)
    return grpc_environment(Layout(running.root))["FLOE_OTLP_GRPC_ENDPOINT"].removeprefix("http://")


def test_all_three_signals_arrive_also_packed(running: RunningReceiver, address: str) -> None:
    trace_id = os.urandom(16)
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(trace_id=trace_id).body.string_value = "by gRPC"
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="by_grpc")
    with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
        answer = TraceStub(channel).Export(spans(trace_id, 300), metadata=ALLOWED)
        assert not answer.HasField("partial_success")
        LogsStub(channel).Export(logs, metadata=ALLOWED)
        MetricsStub(channel).Export(metrics, metadata=ALLOWED)
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert len(trace.spans) == 300
    assert [record.body for record in running.reader.logs(trace_id.hex())] == ["by gRPC"]
    assert running.reader.metrics()["by_grpc"] == 1


def test_what_is_wrong_is_answered_and_survived(running: RunningReceiver, address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = TraceStub(channel)
        for metadata in ((), (("authorization", "Bearer guess"),)):
            with pytest.raises(grpc.RpcError) as refused:
                stub.Export(spans(os.urandom(16)), metadata=metadata)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        request = spans(os.urandom(16), 3)
        request.resource_spans[0].scope_spans[0].spans[1].span_id = b"short"
        assert stub.Export(request, metadata=ALLOWED).partial_success.rejected_spans == 1
        large = spans(os.urandom(16))
        large.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="x").value.string_value = "x" * 20_000_000
        with pytest.raises(grpc.RpcError) as refused:
            stub.Export(large, metadata=ALLOWED)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        raw: Any = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as refused:
            raw(b"\xff\xff\xff", metadata=ALLOWED)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert stub.Export(spans(os.urandom(16)), metadata=ALLOWED) is not None
