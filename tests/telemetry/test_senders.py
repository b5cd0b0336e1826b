"""Senders as they are: OpenTelemetry in two languages, stock dbt-ol, and floe's spool where it cannot be written."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.model.layout import Layout
from floe_dev.telemetry.service import sender_environment
from floe_dev.tracing.context import SpanContext, parse, run_trace_id
from floe_dev.tracing.lineage import run_event
from floe_dev.tracing.redact import redacted
from floe_dev.tracing.spool import MAX_FILES, Spool
from tests.telemetry.receiver import TOKEN, RunningReceiver

_FOREIGN = Path(__file__).parent / "foreign"
_PROGRAM = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("app")
parent = TraceContextTextMapPropagator().extract({"traceparent": os.environ["TRACEPARENT"]})
with tracer.start_as_current_span("outer", context=parent, attributes={"n": 7, "xs": [1.5, 2.5], "ok": True}):
    with tracer.start_as_current_span("inner") as inner:
        inner.add_event("seen", {"what": "ü"})
        try:
            raise ValueError("no")
        except ValueError as error:
            inner.record_exception(error)
provider.shutdown()
"""


def test_the_stock_sdk_needs_only_the_environment_and_joins_the_runs_trace(running: RunningReceiver) -> None:
    context = SpanContext(run_trace_id("3c9f6cbb-3f0e-4c92-a1a1-0d0e1ad2e1aa"), "00f067aa0ba902b7")
    environment = {
        **os.environ,
        **sender_environment(Layout(running.root), running.port, TOKEN),
        "TRACEPARENT": context.traceparent(),
        "OTEL_SERVICE_NAME": "app",
    }
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    trace = running.reader.trace(context.trace_id)
    assert trace is not None
    outer, inner = trace.spans
    assert (outer.name, outer.parent_id, outer.service) == ("outer", context.span_id, "app")
    assert outer.attributes == {"n": 7, "xs": [1.5, 2.5], "ok": True}
    assert (inner.parent_id, [event.name for event in inner.events]) == (outer.span_id, ["seen", "exception"])
    assert inner.events[0].attributes == {"what": "ü"}
    assert inner.events[1].attributes["exception.message"] == "no"


def test_a_traceparent_that_is_not_valid_is_no_context() -> None:
    assert parse("00-" + "1" * 32 + "-" + "2" * 16 + "-01") == SpanContext("1" * 32, "2" * 16)
    for wrong in (
        None,
        "",
        "00-xyz",
        "00-" + "0" * 32 + "-" + "2" * 16 + "-01",
        "ff-" + "1" * 32 + "-" + "2" * 16 + "-01",
    ):
        assert parse(wrong) is None


def test_a_spool_that_cannot_be_written_counts_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool", "tests")
    spool.span({"name": "lost"})
    spool.flush()
    assert spool.dropped == 1


def test_a_spool_that_nobody_collects_stops_growing(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.jsonl").touch()
    spool = Spool(tmp_path, "tests")
    spool.span({"name": "one too many"})
    spool.flush()
    assert spool.dropped == 1
    assert len(list(tmp_path.iterdir())) == MAX_FILES + 1
    for file in tmp_path.iterdir():
        file.unlink()
    spool.span({"name": "there is room again"})
    spool.flush()
    (file,) = tmp_path.iterdir()
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert told[-1]["kind"] == "gap"
    assert told[-1]["body"]["count"] == 1


def test_values_of_secrets_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_CLIENT_SECRET", "s3cr3t-of-the-tests")
    spool = Spool(tmp_path, "tests")
    spool.span({"name": "login", "status": {"message": "denied for s3cr3t-of-the-tests"}})
    spool.flush()
    (file,) = tmp_path.iterdir()
    assert "s3cr3t" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_literals_are_taken_out_of_messages_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """near "orders_2": no row 'it''s Ann' with id 4711 and 2.50"""
    assert redacted(text) == text
    monkeypatch.setenv("FLOE_TELEMETRY_REDACT", "literals")
    assert redacted(text) == """near "orders_2": no row ? with id ? and ?"""
    event = run_event("FAIL", "r", "job", error=text)
    assert "Ann" not in str(event)


@pytest.mark.parametrize(("variable", "kept"), [("FLOE_TRACES", "lineage"), ("FLOE_LINEAGE", "traces")])
def test_what_the_project_does_not_want_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, kept: str
) -> None:
    monkeypatch.setenv(variable, "off")
    spool = Spool(tmp_path, "tests")
    spool.span({"name": "a span"})
    spool.lineage({"job": "an event"})
    spool.flush()
    (file,) = tmp_path.iterdir()
    assert f'"kind": "{kept}"' in file.read_text()
    assert len(file.read_text().splitlines()) == 1


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """OpenTelemetry's JavaScript SDK, installed once for this machine."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are needed: apt-get install nodejs npm")
    wanted = _FOREIGN / "package.json"
    name = hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "floe_dev-tests" / f"otel-node-{name}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, folder)
        arguments = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=240)
        if done.returncode:
            pytest.skip(f"npm cannot install the SDK, retry with a network: npm install ({done.stderr[-200:]})")
        (folder / "complete").touch()
    return folder


@pytest.mark.timeout(360)
def test_the_javascript_sdk_sends_all_three_signals_in_both_encodings(
    running: RunningReceiver, node_modules: Path
) -> None:
    context = SpanContext(os.urandom(16).hex(), "00f067aa0ba902b7")
    environment = {
        **os.environ,
        **sender_environment(Layout(running.root), running.port, TOKEN),
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "TRACEPARENT": context.traceparent(),
        "SENDER_MODULES": str(node_modules),
    }
    command = ["node", str(_FOREIGN / "send.mjs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    trace = running.reader.trace(context.trace_id)
    assert trace is not None
    names = {f"{encoding} {number}" for encoding in ("protobuf", "json") for number in range(50)}
    assert sorted(span.name for span in trace.spans) == sorted(names)
    assert {(span.service, span.parent_id) for span in trace.spans} == {("node-app", context.span_id)}
    for encoding in ("protobuf", "json"):
        seven = next(span for span in trace.spans if span.name == f"{encoding} 7")
        assert seven.attributes == {"number": 7, "text": "grün", "list": ["a", "b"], "big": 2**40}
        assert (seven.status, seven.message) == ("error", "seven")
        assert [(event.name, event.attributes) for event in seven.events] == [("seen", {"half": 0.5})]
    assert sorted(record.body for record in running.reader.logs(context.trace_id)) == ["from json", "from protobuf"]
    assert "orders" in running.reader.metrics()


_DBT_PROJECT = {
    "dbt_project.yml": "name: theirs\nversion: '1.0.0'\nprofile: theirs\nmodel-paths: [models]\n",
    "profiles.yml": """\
theirs:
  target: dev
  outputs:
    dev: {type: duckdb, path: theirs.duckdb, schema: silver, threads: 1}
""",
    "models/first.sql": "{{ config(materialized='table') }} select 1 as id, 2.5 as price",
    "models/second.sql": "{{ config(materialized='table') }} select id, price * 2 as total from {{ ref('first') }}",
    "models/broken.sql": "{{ config(materialized='table') }} select no_such_column from {{ ref('second') }}",
    "models/schema.yml": "models: [{name: second, columns: [{name: id, data_tests: [unique]}]}]\n",
}


def test_stock_dbt_ol_needs_only_the_environment_and_arrives_whole(running: RunningReceiver, tmp_path: Path) -> None:
    for name, text in _DBT_PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {
        **os.environ,
        **sender_environment(Layout(running.root), running.port, TOKEN),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OPENLINEAGE_NAMESPACE": "theirs",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    command = [str(Path(sys.executable).parent / "dbt-ol"), "build", "--profiles-dir", "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "Emitted" in done.stdout + done.stderr, done.stdout + done.stderr
    events = [event for event in running.reader.lineage_events() if event.body["job"]["namespace"] == "theirs"]
    told = {(event.event_type, event.job): event for event in events}
    for node in ("first.build.run", "second.build.run", "second.build.test"):
        assert {("START", f"theirs.silver.theirs.{node}"), ("COMPLETE", f"theirs.silver.theirs.{node}")} <= told.keys()
    assert ("FAIL", "theirs.silver.theirs.broken.build.run") in told
    assert ("silver.first", "silver.second") in {(edge.source, edge.target) for edge in running.reader.edges()}
    columns = {(e.source, e.source_column, e.target, e.target_column) for e in running.reader.column_edges()}
    assert ("silver.first", "price", "silver.second", "total") in columns
    sent = re.search(r"Emitted (\d+) OpenLineage events", done.stdout + done.stderr)
    assert sent is not None
    assert len(events) == int(sent.group(1))
