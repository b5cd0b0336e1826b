"""P7: spans per second that one receiver takes over loopback HTTP and has stored, and queries at that size.

Four senders, each a process of its own, post protobuf requests of 512 spans (traces of 16 spans, six attributes each),
made beforehand so that only the receiver works. What is acknowledged is committed; at the end the stored spans are
counted: none lost, none twice. Then the list of traces and single traces are read as the commands do.
Run as `python -m benchmarks.p7_telemetry [SPANS]`; `benchmarks.p7_overhead` is the other half.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from floe_dev.telemetry.query import TraceFilter
from tests.telemetry.receiver import TOKEN, receiver

SPANS = 1_000_000
SENDERS = 4
#: Traces in a request, and spans in a trace.
TRACES, DEPTH = 32, 16
QUERIES = 50


def run(spans: int = SPANS) -> dict[str, Any]:
    """The figures of the receiver, and those of what recording costs a run."""
    # Here, since each sender is a process that imports this module, and this one brings dbt.
    from benchmarks import p7_overhead

    return {**receive(spans), **p7_overhead.run()}


def receive(spans: int) -> dict[str, Any]:
    """The figures of the receiver by name."""
    requests = max(SENDERS, spans // (TRACES * DEPTH))
    with tempfile.TemporaryDirectory() as folder, receiver(Path(folder), "--max-spans", str(spans * 2)) as running:
        context = multiprocessing.get_context("spawn")
        answers: Any = context.Queue()
        share = requests // SENDERS
        ready = context.Barrier(SENDERS + 1)
        senders = [context.Process(target=_send, args=(running.port, share, answers, ready)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        ready.wait()
        began = time.perf_counter()
        took: list[float] = []
        for _ in senders:
            took += answers.get()
        seconds = time.perf_counter() - began
        for sender in senders:
            sender.join()
        sent = share * SENDERS * TRACES * DEPTH
        times = psutil.Process(running.process.pid).cpu_times()
        memory = psutil.Process(running.process.pid).memory_full_info().pss
        listing = [_timed(lambda: running.reader.traces(TraceFilter(limit=50))) for _ in range(QUERIES)]
        ids = [trace.trace_id for trace in running.reader.traces(TraceFilter(limit=QUERIES))]
        single = [_timed(lambda each=each: running.reader.trace(each)) for each in ids]
        stored = sum(trace.spans for trace in running.reader.traces(TraceFilter(limit=sent)))
    return {
        "spans accepted and stored a second": round(sent / seconds),
        "spans sent": sent,
        "lost or doubled": sent - stored,
        # What one core can do, also where others work on it: a figure that a busy machine leaves alone.
        "receiver's processor time a span (µs)": round((times.user + times.system) / sent * 1e6, 1),
        "acknowledgement p99 ms": round(_p99(took) * 1000, 1),
        "receiver's memory MB (PSS)": round(memory / 1e6),
        "list of 50 traces p99 ms": round(_p99(listing) * 1000, 1),
        "one trace p99 ms": round(_p99(single) * 1000, 1),
    }


def _send(port: int, count: int, answers: Any, ready: Any) -> None:
    template = _request()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {TOKEN}"}
    ready.wait()
    took = []
    for _ in range(count):
        body = _with_new_ids(template)
        began = time.perf_counter()
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200
    answers.put(took)


def _request() -> bytes:
    """One packed request; the traces' ids begin with a mark that is replaced for each sending."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = group.scope_spans.add()
    now = time.time_ns()
    for trace in range(TRACES):
        for number in range(DEPTH):
            span = scope.spans.add(
                trace_id=b"\xabMARK123" + trace.to_bytes(8, "big"),
                span_id=(number + 1).to_bytes(8, "big"),
                parent_span_id=b"" if number == 0 else (1).to_bytes(8, "big"),
                name=f"work {number}",
                start_time_unix_nano=now,
                end_time_unix_nano=now + 1_000_000,
            )
            for key in range(6):
                span.attributes.add(key=f"app.attribute.{key}").value.string_value = f"value {number}"
    return request.SerializeToString()


def _with_new_ids(template: bytes) -> bytes:
    return template.replace(b"\xabMARK123", os.urandom(8))


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0]


if __name__ == "__main__":
    for name, value in receive(int(sys.argv[1]) if len(sys.argv) > 1 else SPANS).items():
        print(f"{name:36} {value:>10}")
