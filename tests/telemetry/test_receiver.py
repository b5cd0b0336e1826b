"""What arrives is there, whole and once, in either encoding; what is wrong is answered by the specification."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import resource
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from floe_dev.errors import Code, FloeError
from floe_dev.telemetry.export import otlp_lines
from floe_dev.telemetry.query import TraceFilter
from tests.telemetry.receiver import JSON, TOKEN, RunningReceiver, receiver, spans, until


def test_a_trace_in_protobuf_is_read_back_whole(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    request = spans(trace_id, 3, run="8c7f")
    status, body = running.post("/v1/traces", request.SerializeToString())
    assert (status, body) == (200, b"")
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert [span.name for span in trace.spans] == ["work 1", "work 2", "work 3"]
    assert [depth for depth, _ in trace.tree()] == [0, 1, 1]
    assert (trace.summary.name, trace.summary.service, trace.summary.run_id) == ("work 1", "tests", "8c7f")
    assert trace.summary.state == "ok"


def test_json_has_hex_ids_and_gzip_is_unpacked(running: RunningReceiver) -> None:
    trace_id = os.urandom(16).hex()
    document = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "sdk"}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": trace_id,
                                "spanId": "00f067aa0ba902b7",
                                "name": "hello",
                                "kind": 2,
                                "startTimeUnixNano": "1700000000000000000",
                                "endTimeUnixNano": 1700000001500000000,
                                "attributes": [
                                    {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "7"}]}}}
                                ],
                                "status": {"code": 2, "message": "no"},
                                "fromTheFuture": {"x": 1},
                            }
                        ]
                    }
                ],
            }
        ]
    }
    body = gzip.compress(json.dumps(document).encode())
    assert running.post("/v1/traces", body, JSON, content_encoding="gzip") == (200, b"{}")
    trace = running.reader.trace(trace_id)
    assert trace is not None
    (span,) = trace.spans
    assert (span.kind, span.seconds, span.attributes, span.status, span.message) == (
        "server",
        1.5,
        {"list": [7]},
        "error",
        "no",
    )


def test_what_is_sent_twice_is_there_once(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    body = spans(trace_id, 5).SerializeToString()
    more = spans(trace_id, 7).SerializeToString()
    for each in (body, body, more):
        assert running.post("/v1/traces", each)[0] == 200
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert (trace.summary.spans, len(trace.spans)) == (7, 7)


def test_spans_without_ids_are_rejected_and_counted_and_the_others_kept(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    request = spans(trace_id, 4)
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b"short"
    request.resource_spans[0].scope_spans[0].spans[2].trace_id = bytes(16)
    before = {gap.kind: gap.count for gap in running.reader.gaps()}.get("rejected", 0)
    status, body = running.post("/v1/traces", request.SerializeToString())
    answer = ExportTraceServiceResponse.FromString(body)
    assert (status, answer.partial_success.rejected_spans) == (200, 2)
    assert "id" in answer.partial_success.error_message
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert len(trace.spans) == 2
    assert {gap.kind: gap.count for gap in running.reader.gaps()}["rejected"] == before + 2


@pytest.mark.parametrize(
    ("path", "body", "content_type", "headers", "status"),
    [
        ("/v1/traces", b"\xff\xff\xff\xff", "application/x-protobuf", {}, 400),
        ("/v1/traces", b"{", JSON, {}, 400),
        ("/v1/traces", b"[]", JSON, {}, 400),
        ("/v1/traces", b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}', JSON, {}, 400),
        ("/v1/traces", b"\xc3\x28", JSON, {}, 400),
        ("/v1/traces", b"[" * 100_000, JSON, {}, 400),
        ("/v1/traces", b"", "text/plain", {}, 415),
        ("/v1/traces", b"", "", {}, 415),
        ("/v1/traces", b"x", JSON, {"content_encoding": "zstd"}, 415),
        ("/v1/traces", b"not gzip", JSON, {"content_encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(b"{}" * 1000, mtime=0)[:-20], JSON, {"content_encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(bytes(50_000_000), mtime=0), JSON, {"content_encoding": "gzip"}, 413),
        ("/v1/traces", bytes(50_000_000), "application/x-protobuf", {}, 413),
        ("/v1/traces", bytes(50_000_000), "text/plain", {}, 415),
        ("/api/v1/lineage", bytes(50_000_000), JSON, {}, 413),
        ("/v1/traces", spans(bytes(range(16)), 9).SerializeToString()[:-3], "application/x-protobuf", {}, 400),
        ("/v1/nothing", b"", JSON, {}, 404),
        ("/api/v1/lineage", b'{"eventType": "START"}', JSON, {}, 400),
        ("/api/v1/lineage", b"null", JSON, {}, 400),
    ],
)
def test_bad_input_is_refused_and_survived(
    running: RunningReceiver, path: str, body: bytes, content_type: str, headers: dict[str, str], status: int
) -> None:
    answered, told = running.post(path, body, content_type, **headers)
    assert answered == status
    assert told  # a google.rpc.Status
    assert running.memory() < 300_000_000
    assert running.post("/v1/traces", spans(os.urandom(16)).SerializeToString())[0] == 200


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(running: RunningReceiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/v1/traces", (bytes(1_000_000) for _ in range(50)), headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    assert running.memory() < 300_000_000


def test_what_a_later_version_may_send_is_taken_as_far_as_it_is_known(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    unknown_field = b"\xfa\x7f\x03abc"
    assert running.post("/v1/traces", spans(trace_id).SerializeToString() + unknown_field)[0] == 200
    span = {"traceId": trace_id.hex(), "spanId": "00000000000000ff", "name": "later", "status": {"code": 77}}
    group = {"schemaUrl": "later", "scopeSpans": [{"spans": [{**span, "kind": 99, "inventions": [1]}], "more": {}}]}
    assert running.post("/v1/traces", json.dumps({"resourceSpans": [group], "also": 1}).encode(), JSON)[0] == 200
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert {span.name for span in trace.spans} == {"work 1", "later"}


def test_nothing_is_taken_without_the_token(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    body = spans(trace_id).SerializeToString()
    assert running.post("/v1/traces", body, token=None)[0] == 401
    assert running.post("/v1/traces", body, token="guess")[0] == 401
    assert running.post("/v1/traces", bytes(20_000_000), token="guess")[0] == 401
    assert running.reader.trace(trace_id.hex()) is None


def test_odd_spans_are_kept_within_bounds(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    request = spans(trace_id, 4)
    first, second, third, fourth = request.resource_spans[0].scope_spans[0].spans
    for number in range(100_000):
        first.attributes.add(key=f"k{number}").value.int_value = number
    second.parent_span_id = third.span_id  # a circle
    third.parent_span_id = second.span_id
    fourth.parent_span_id = b"orphaned"
    fourth.start_time_unix_nano, fourth.end_time_unix_nano = 4 * 10**18, 3 * 10**18  # the year 2096, and backwards
    assert running.post("/v1/traces", request.SerializeToString())[0] == 200
    trace = running.reader.trace(trace_id.hex())
    assert trace is not None
    assert len(next(s for s in trace.spans if s.name == "work 1").attributes) == 512
    assert sorted(span.name for _, span in trace.tree()) == ["work 1", "work 2", "work 3", "work 4"]
    assert next(s for s in trace.spans if s.name == "work 4").seconds == 0


def test_logs_and_metrics_are_taken(running: RunningReceiver) -> None:
    trace_id = os.urandom(16)
    logs = ExportLogsServiceRequest()
    record = (
        logs.resource_logs.add()
        .scope_logs.add()
        .log_records.add(trace_id=trace_id, severity_text="WARN", time_unix_nano=1)
    )
    record.body.string_value = "hm"
    assert running.post("/v1/logs", logs.SerializeToString())[0] == 200
    assert [(line.severity, line.body) for line in running.reader.logs(trace_id.hex())] == [("WARN", "hm")]
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="rows")
    assert running.post("/v1/metrics", metrics.SerializeToString())[0] == 200


def test_lineage_events_become_edges(running: RunningReceiver) -> None:
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-24T08:00:00Z",
        "producer": "urn:tests",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "0190d0b8-0000-7000-8000-000000000000"},
        "job": {"namespace": "spark", "name": "job"},
        "inputs": [{"namespace": "x", "name": "polaris.silver.a"}],
        "outputs": [
            {
                "namespace": "x",
                "name": "gold.b",
                "facets": {
                    "columnLineage": {
                        "fields": {"total": {"inputFields": [{"namespace": "x", "name": "silver.a", "field": "price"}]}}
                    }
                },
            }
        ],
    }
    assert running.post("/api/v1/lineage", json.dumps(event).encode(), JSON)[0] == 201
    assert ("silver.a", "gold.b") in {(edge.source, edge.target) for edge in running.reader.edges()}
    (column,) = running.reader.column_edges()
    assert (column.source_column, column.target_column) == ("price", "total")
    (told,) = running.reader.lineage_events("0190d0b8-0000-7000-8000-000000000000")
    assert (told.inputs, told.outputs, told.body) == (("silver.a",), ("gold.b",), event)


def test_of_a_batch_of_events_the_good_ones_are_kept(running: RunningReceiver) -> None:
    good = {
        "eventTime": "2026-11-24T08:00:00Z",
        "producer": "urn:tests",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent",
        "job": {"namespace": "x", "name": "in a batch"},
    }
    body = json.dumps([good, {"eventTime": "never"}, {**good, "eventTime": "2026-11-24T09:00:00Z"}]).encode()
    status, answer = running.post("/api/v1/lineage/batch", body, JSON)
    assert status == 200
    told = json.loads(answer)
    assert told["status"] == "partial_success"
    assert (told["summary"]["received"], told["summary"]["successful"], told["summary"]["failed"]) == (3, 2, 1)
    assert sum(event.job == "in a batch" for event in running.reader.lineage_events()) == 2


def test_a_table_that_spark_names_by_its_path_meets_the_catalogs_name(running: RunningReceiver) -> None:
    def dataset(name: str) -> dict[str, object]:
        known = [{"namespace": "http://catalog", "name": f"polaris.{name}", "type": "TABLE"}]
        return {"namespace": "file", "name": f"/wh/{name}", "facets": {"symlinks": {"identifiers": known}}}

    fields = {"n": {"inputFields": [{"namespace": "file", "name": "/wh/silver.from_spark", "field": "m"}]}}
    output = dataset("gold.by_spark")
    output["facets"] = {**output["facets"], "columnLineage": {"fields": fields}}  # type: ignore[dict-item]
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2026-11-24T08:00:00Z",
        "producer": "urn:tests",
        "schemaURL": "https://openlineage.io/spec/9-9-9/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": "0190d0b8-0000-7000-8000-000000000009"},
        "job": {"namespace": "spark", "name": "job"},
        "inputs": [dataset("silver.from_spark"), "no dataset", {"name": 7}],
        "outputs": [output],
    }
    assert running.post("/api/v1/lineage", json.dumps(event).encode(), JSON)[0] == 201
    assert ("silver.from_spark", "gold.by_spark") in {(edge.source, edge.target) for edge in running.reader.edges()}
    columns = {(e.source, e.source_column, e.target, e.target_column) for e in running.reader.column_edges()}
    assert ("silver.from_spark", "m", "gold.by_spark", "n") in columns


def test_what_is_exported_is_taken_by_another_receiver_as_it_is(running: RunningReceiver, tmp_path: Path) -> None:
    trace_id = os.urandom(16)
    request = spans(trace_id, 5, run="r")
    request.resource_spans[0].scope_spans[0].spans[2].attributes.add(key="b").value.bytes_value = b"\x00\xff"
    request.resource_spans[0].scope_spans[0].spans[3].links.add(trace_id=os.urandom(16), span_id=os.urandom(8))
    assert running.post("/v1/traces", request.SerializeToString())[0] == 200
    (line,) = otlp_lines(running.reader, [trace_id.hex()])
    with receiver(tmp_path) as other:
        assert other.post("/v1/traces", line.encode(), JSON) == (200, b"{}")
        there, here = other.reader.trace(trace_id.hex()), running.reader.trace(trace_id.hex())
        assert there is not None
        assert here is not None
        assert there.spans == here.spans


def test_filters_and_ambiguous_ids(running: RunningReceiver) -> None:
    prefix = os.urandom(8)
    for number in (1, 2):
        running.post("/v1/traces", spans(prefix + number.to_bytes(8, "big"), run=f"run-{number}").SerializeToString())
    (found,) = running.reader.traces(TraceFilter(run="run-2"))
    assert found.trace_id == (prefix + (2).to_bytes(8, "big")).hex()
    assert running.reader.traces(TraceFilter(state="error", run="run-2")) == []
    several = spans(os.urandom(16))
    made = several.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="floe.assets").value.array_value
    for asset in ("gold/one", "gold/two"):
        made.values.add(string_value=asset)
    running.post("/v1/traces", several.SerializeToString())
    for asset in ("gold/one", "gold/two"):
        assert [trace.assets for trace in running.reader.traces(TraceFilter(asset=asset))] == [("gold/one", "gold/two")]
    with pytest.raises(FloeError) as error:
        running.reader.trace(prefix.hex())
    assert error.value.code is Code.TRACE_AMBIGUOUS


def test_what_was_acknowledged_survives_kill_9_under_load(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    refused = threading.Event()

    def send(running: RunningReceiver) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {TOKEN}"}
        while True:
            trace_id = os.urandom(16)
            try:
                connection.request("POST", "/v1/traces", spans(trace_id, 20).SerializeToString(), headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                refused.set()  # killed in the middle of this one: it may be there or not
                return
            if answer.status == 200:
                acknowledged.append(trace_id.hex())

    with receiver(tmp_path) as running:
        senders = [threading.Thread(target=send, args=(running,)) for _ in range(8)]
        for sender in senders:
            sender.start()
        until(lambda: len(acknowledged) > 400, 60)
        running.kill()
        for sender in senders:
            sender.join(20)
    assert refused.is_set()
    with receiver(tmp_path) as again:
        assert again.post("/v1/traces", spans(os.urandom(16)).SerializeToString())[0] == 200
        stored = {trace.trace_id: trace.spans for trace in again.reader.traces(TraceFilter(limit=1_000_000))}
        assert [stored.get(known) for known in acknowledged] == [20] * len(acknowledged)
        for known in acknowledged[-20:]:
            trace = again.reader.trace(known)
            assert trace is not None
            assert len(trace.spans) == 20


def test_a_full_disk_stops_telemetry_which_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    trace_id = os.urandom(16)
    # The largest file that the process may write, in KiB: as a disk that is full.
    with receiver(tmp_path, first="ulimit -S -f 700") as running:
        statuses = [running.post("/v1/traces", spans(os.urandom(16), 500).SerializeToString())[0] for _ in range(60)]
        assert statuses[0] == 200
        assert statuses[-1] == 503
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        connection.request("GET", "/health")
        health = json.loads(connection.getresponse().read())
        connection.close()
        assert health["storing"] is False
        assert health["why"]
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert running.post("/v1/traces", spans(trace_id, 5).SerializeToString())[0] == 200
        trace = running.reader.trace(trace_id.hex())
        assert trace is not None
        assert len(trace.spans) == 5
        until(lambda: "times that nothing was stored" in {gap.kind for gap in running.reader.gaps()})


def test_limits_of_bytes_and_days_hold_for_everything(tmp_path: Path) -> None:
    limit = 3_000_000
    with receiver(tmp_path, "--max-bytes", str(limit)) as running:
        for number in range(40):
            logs = ExportLogsServiceRequest()
            record = logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=number + 1)
            record.body.string_value = os.urandom(100_000).hex()
            assert running.post("/v1/logs", logs.SerializeToString())[0] == 200
            assert running.post("/v1/traces", spans(os.urandom(16), 20).SerializeToString())[0] == 200
        newest = os.urandom(16)
        assert running.post("/v1/traces", spans(newest, 3).SerializeToString())[0] == 200
        until(lambda: _used(tmp_path) <= limit)
        assert running.reader.trace(newest.hex()) is not None
    with receiver(tmp_path, "--max-days", "0.00001") as running:
        time.sleep(1)  # longer than that
        assert running.post("/v1/traces", spans(os.urandom(16)).SerializeToString())[0] == 200
        until(lambda: len(running.reader.traces(TraceFilter(limit=1000))) <= 1)


def _used(root: Path) -> int:
    with contextlib.closing(sqlite3.connect(root / ".floe" / "telemetry" / "telemetry.db")) as store:
        pages, free, size = (
            store.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def test_what_is_odd_is_counted(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        request = spans(os.urandom(16), 3)
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.start_time_unix_nano, span.end_time_unix_nano = 4 * 10**18, 4 * 10**18 + 1  # the year 2096
        for _ in range(2):
            assert running.post("/v1/traces", request.SerializeToString())[0] == 200
        assert running.post("/v1/traces", b"", "text/plain")[0] == 415
        assert running.post("/v1/traces", b"\xff\xff")[0] == 400
        wanted = {"clocks that are off": 6, "repeated spans": 3, "refused requests": 1, "bad requests": 1}
        until(lambda: {gap.kind: gap.count for gap in running.reader.gaps()} == wanted)


def test_the_oldest_traces_go_whole(tmp_path: Path) -> None:
    with receiver(tmp_path, "--max-spans", "100") as running:
        for number in range(30):
            running.post("/v1/traces", spans(number.to_bytes(16, "little"), 10).SerializeToString())
        # An answer is sent before the broom comes.
        until(lambda: sum(trace.spans for trace in running.reader.traces(TraceFilter(limit=1000))) <= 100)
        kept = running.reader.traces(TraceFilter(limit=1000))
        assert 0 < sum(trace.spans for trace in kept) <= 100
        assert {trace.spans for trace in kept} == {10}
        assert (29).to_bytes(16, "little").hex() in {trace.trace_id for trace in kept}


def test_a_store_that_is_no_database_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / ".floe" / "telemetry"
    folder.mkdir(parents=True)
    (folder / "telemetry.db").write_bytes(b"this is not SQLite" * 500)
    with receiver(tmp_path) as running:
        assert running.post("/v1/traces", spans(os.urandom(16)).SerializeToString())[0] == 200
    assert (folder / "telemetry.db.damaged").read_bytes().startswith(b"this is not")


def test_the_spool_is_collected_also_what_was_written_while_nobody_listened(tmp_path: Path) -> None:
    from floe_dev.tracing.spool import Spool

    folder = tmp_path / ".floe" / "telemetry" / "spool"
    spool = Spool(folder, "tests")
    trace_id = os.urandom(16).hex()
    for number in range(1, 4):
        spool.span(
            {
                "traceId": trace_id,
                "spanId": f"{number:016x}",
                "name": f"step {number}",
                "startTimeUnixNano": str(number),
                "endTimeUnixNano": str(number + 1),
            }
        )
    spool.flush()
    (folder / "1-gap.jsonl").write_text('{"kind": "gap", "body": {"count": 7, "reason": "no space left"}}\n')
    (folder / "0-damaged.jsonl").write_text('{"kind": "traces", "body": {"resourceSpans": 7}}\nnot json\n')
    with receiver(tmp_path) as running:
        give_up = time.monotonic() + 60
        while list(folder.iterdir()):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        trace = running.reader.trace(trace_id)
        assert trace is not None
        assert [span.name for span in trace.spans] == ["step 1", "step 2", "step 3"]
        until(lambda: ("dropped", 7) in {(gap.kind, gap.count) for gap in running.reader.gaps()})
