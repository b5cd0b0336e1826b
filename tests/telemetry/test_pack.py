"""The short way of the spool into protobuf means what OTLP in JSON means; what it does not know goes the other way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from floe_dev.model.layout import Layout
from floe_dev.telemetry.collect import collect
from floe_dev.telemetry.decode import decode_logs, decode_traces
from floe_dev.telemetry.pack import packed
from floe_dev.telemetry.query import TelemetryReader
from floe_dev.telemetry.schema import store_file
from floe_dev.tracing.context import SpanContext
from floe_dev.tracing.record import record, record_log
from floe_dev.tracing.spool import SUFFIX, configure

_CONTEXT = SpanContext("ab" * 16, "cd" * 8)
_VALUES = {
    "text": "naïve \ud800 ☃",
    "yes": True,
    "small": -3,
    "large": 2**63 - 1,
    "too.large": 2**70,
    "share": 0.25,
    "several": ["a", 1, [2.5, False]],
    "absent": None,
}


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """What a process writes that records a span and a log line with every kind of value."""
    folder = tmp_path / "spool"
    configure(folder, "tests", {"floe.run.id": "the-run"})
    try:
        link = SpanContext("12" * 16, "34" * 8)
        record(
            "work", _CONTEXT, parent_id="ef" * 8, start_ns=1, end_ns=2, attributes=_VALUES, error="no", links=(link,)
        )
        record_log("said ☃", "WARNING", _CONTEXT, _VALUES)
    finally:
        configure(None, "")
    return [json.loads(line) for file in sorted(folder.glob(f"*{SUFFIX}")) for line in file.read_text().splitlines()]


def test_both_ways_store_the_same(lines: list[dict[str, Any]]) -> None:
    ways = {"traces": decode_traces, "logs": decode_logs}
    assert [line["kind"] for line in lines] == ["traces", "logs"]
    for line in lines:
        short, decoded = packed(line["kind"], line["body"]), ways[line["kind"]]
        assert short is not None
        assert decoded(short, as_json=False) == decoded(json.dumps(line["body"]).encode(), as_json=True)


def test_a_value_that_is_no_number_costs_no_span() -> None:
    value = {"key": "a", "value": {"doubleValue": json.loads("NaN")}}
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "attributes": [value]}
    short = packed("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert short is not None
    assert len(decode_traces(short, as_json=False).spans) == 1


@pytest.mark.parametrize(
    "span",
    [
        {"traceId": "xyz"},
        {"name": "\ud800"},
        {"startTimeUnixNano": str(2**64)},
        {"unheardOf": 1},
        {"attributes": [{"key": "a", "value": {"doubleValue": "Infinity"}}]},
        {"attributes": ["a"]},
    ],
    ids=str,
)
def test_what_floe_does_not_write_is_left_to_the_other_way(span: dict[str, Any]) -> None:
    assert packed("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) is None


def test_a_line_that_goes_the_other_way_is_stored_all_the_same(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    spool = layout.telemetry_dir / "spool"
    spool.mkdir(parents=True)
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "newer", "unheardOf": {"since": "tomorrow"}}
    line = {"kind": "traces", "body": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}}
    (spool / f"1{SUFFIX}").write_text(json.dumps(line) + "\n")
    collect(spool, store_file(layout))
    found = TelemetryReader(layout).trace("ab" * 16)
    assert found is not None
    assert [each.name for each in found.spans] == ["newer"]
    assert not list(spool.iterdir())
