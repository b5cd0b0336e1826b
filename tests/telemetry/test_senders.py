"""Senders as they are: OpenTelemetry's own SDK, and floe's spool where it cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.model.layout import Layout
from floe_dev.telemetry.service import sender_environment
from floe_dev.tracing.context import SpanContext, parse, run_trace_id
from floe_dev.tracing.spool import MAX_FILES, Spool
from tests.telemetry.receiver import TOKEN, RunningReceiver

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


def test_values_of_secrets_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_CLIENT_SECRET", "s3cr3t-of-the-tests")
    spool = Spool(tmp_path, "tests")
    spool.span({"name": "login", "status": {"message": "denied for s3cr3t-of-the-tests"}})
    spool.flush()
    (file,) = tmp_path.iterdir()
    assert "s3cr3t" not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


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
