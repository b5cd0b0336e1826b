"""What was stored is sent on to the user's own collector; one that is away keeps nobody waiting."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import psutil
import pytest

from floe_dev.model.layout import Layout
from floe_dev.telemetry.forward import (
    LINEAGE_KEY,
    LINEAGE_URL,
    MAX_WAITING_BYTES,
    OTLP_ENDPOINT,
    OTLP_HEADERS,
    targets,
)
from floe_dev.telemetry.service import receiver_environment, sender_environment
from tests.telemetry.receiver import JSON, TOKEN, receiver, spans, until

EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2026-11-24T08:00:00Z",
    "producer": "urn:tests",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "0190d0b8-0000-7000-8000-000000000001"},
    "job": {"namespace": "x", "name": "job"},
    "inputs": [{"namespace": "x", "name": "silver.a"}],
    "outputs": [{"namespace": "x", "name": "gold.b"}],
}


def test_everything_reaches_the_users_own_collector_as_well(tmp_path: Path) -> None:
    with receiver(tmp_path / "theirs") as theirs:
        there = f"http://127.0.0.1:{theirs.port}"
        told = {
            OTLP_ENDPOINT: there,
            OTLP_HEADERS: f"authorization=Bearer%20{TOKEN}",
            LINEAGE_URL: there,
            LINEAGE_KEY: TOKEN,
        }
        with receiver(tmp_path / "ours", **told) as ours:
            trace_id = os.urandom(16)
            assert ours.post("/v1/traces", spans(trace_id, 3).SerializeToString())[0] == 200
            assert ours.post("/api/v1/lineage", json.dumps(EVENT).encode(), JSON)[0] == 201
            until(lambda: theirs.reader.trace(trace_id.hex()) is not None and bool(theirs.reader.edges()))
            forwarded, kept = theirs.reader.trace(trace_id.hex()), ours.reader.trace(trace_id.hex())
            assert forwarded is not None
            assert kept is not None
            assert forwarded.spans == kept.spans


def test_a_collector_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        with receiver(tmp_path, **{OTLP_ENDPOINT: f"http://127.0.0.1:{unused.getsockname()[1]}"}) as running:
            began = time.monotonic()
            for _ in range(20):
                assert running.post("/v1/traces", spans(os.urandom(16)).SerializeToString())[0] == 200
            assert time.monotonic() - began < 5


def test_the_receiver_never_forwards_to_itself() -> None:
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"}
    assert OTLP_ENDPOINT not in receiver_environment(TOKEN, 4318, own)
    assert receiver_environment(TOKEN, 4319, own)[OTLP_ENDPOINT] == "http://127.0.0.1:4318"


def test_platform_yaml_names_targets_and_the_users_variables_go_before_them() -> None:
    told = receiver_environment(TOKEN, 4318, {}, otlp_endpoint="http://tempo:4318", lineage_endpoint="http://marquez")
    assert (told[OTLP_ENDPOINT], told[LINEAGE_URL]) == ("http://tempo:4318", "http://marquez")
    mine = receiver_environment(
        TOKEN, 4318, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine"}, otlp_endpoint="http://tempo"
    )
    assert mine[OTLP_ENDPOINT] == "http://mine"


def test_each_signal_may_have_a_place_of_its_own_and_grpc_is_refused() -> None:
    mine = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://tempo:4318/v1/traces",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,a=b",
    }
    found = targets(receiver_environment(TOKEN, 4318, mine))
    assert {kind: target.url for kind, target in found.items()} == {"traces": "http://tempo:4318/v1/traces"}
    assert found["traces"].headers == {"authorization": "Bearer x", "a": "b"}
    grpc = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://tempo:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert targets(receiver_environment(TOKEN, 4318, grpc)) == {}


def test_a_place_of_ones_own_for_a_signal_does_not_lead_past_the_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://tempo:4318/v1/traces")
    found = sender_environment(Layout(Path("/p")), 4318, TOKEN)
    assert found["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "http://127.0.0.1:4318/v1/traces"


def test_what_waits_for_a_target_is_bounded_and_what_is_dropped_is_counted_and_said(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # takes connections and never answers
        target = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with receiver(tmp_path, **{OTLP_ENDPOINT: target}) as running:
            before = psutil.Process(running.process.pid).memory_info().rss
            for _ in range(150):
                request = spans(os.urandom(16), 10)
                request.resource_spans[0].scope_spans[0].spans[0].attributes.add(
                    key="x"
                ).value.string_value = os.urandom(450_000).hex()
                assert running.post("/v1/traces", request.SerializeToString())[0] == 200
            until(lambda: "requests not forwarded" in {gap.kind for gap in running.reader.gaps()})
            grown = psutil.Process(running.process.pid).memory_info().rss - before
            assert grown < MAX_WAITING_BYTES + 90_000_000  # 135 MB were sent; a store's cache and a request in hand
