"""What was stored is sent on to the user's own collector; one that is away keeps nobody waiting."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from floe_dev.telemetry.forward import LINEAGE_KEY, LINEAGE_URL, OTLP_ENDPOINT, OTLP_HEADERS
from floe_dev.telemetry.service import receiver_environment
from tests.telemetry.receiver import JSON, TOKEN, receiver, spans

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


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


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
