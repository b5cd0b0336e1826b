"""Spans of containers: sent to the relay, printed by it, split from the log again, stored."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from floe_dev.tracing.context import SpanContext
from floe_dev.tracing.otlp import OtlpSpool
from floe_dev.tracing.stream import MARK, Splitter
from tests.telemetry.receiver import JSON, PROTOBUF, RunningReceiver, spans, until

_SERVE = "import sys; from floe_dev.tracing.relay import main; sys.exit(main('127.0.0.1', int(sys.argv[1])))"


@dataclass
class Relay:
    """A relay process, its output in a file as an engine would keep it."""

    port: int
    output: Path
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: bytes, content_type: str, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type, **headers})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def _start(port: int, output: Path) -> Relay:
    with output.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-c", _SERVE, str(port)], stdout=out)

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None
            return False
        return True

    until(answers)
    return Relay(port, output, process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    started = _start(_free_port(), tmp_path / "output")
    yield started
    started.process.terminate()
    assert started.process.wait(10) == 0


def test_what_is_sent_in_both_encodings_is_stored_and_the_log_stays_a_log(
    relay: Relay, running: RunningReceiver
) -> None:
    first, second = os.urandom(16), os.urandom(16)
    assert relay.post("/v1/traces", spans(first, 400).SerializeToString(), PROTOBUF) == 200
    document = {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"traceId": second.hex(), "spanId": "01" * 8, "name": "by JSON"}]}]}
        ]
    }
    packed = gzip.compress(json.dumps(document).encode())
    assert relay.post("/v1/traces", packed, JSON, **{"Content-Encoding": "gzip"}) == 200
    output = b"a line of the log\n" + relay.output.read_bytes() + b"half a line"

    splitter = Splitter(running.spool)
    # As an engine cuts it: in the middle of a record as well.
    log = b"".join(splitter.feed(output[at : at + 1000]) for at in range(0, len(output), 1000))
    assert log == b"a line of the log\nhalf a line"

    def stored() -> bool:
        whole, one = running.reader.trace(first.hex()), running.reader.trace(second.hex())
        return whole is not None and len(whole.spans) == 400 and one is not None and one.spans[0].name == "by JSON"

    until(stored)


@pytest.mark.parametrize(
    ("path", "body", "content_type", "headers", "status"),
    [
        ("/v1/nothing", b"x", PROTOBUF, {}, 404),
        ("/v1/traces", b"{", JSON, {}, 400),
        ("/v1/traces", b"not gzip", PROTOBUF, {"Content-Encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(bytes(17_000_000)), PROTOBUF, {"Content-Encoding": "gzip"}, 413),
        ("/v1/traces", b"", PROTOBUF, {"Content-Length": "17000000"}, 413),
    ],
)
def test_bad_input_is_refused_and_nothing_of_it_printed(
    relay: Relay, path: str, body: bytes, content_type: str, headers: dict[str, str], status: int
) -> None:
    assert relay.post(path, body, content_type, **headers) == status
    assert relay.output.read_bytes() == b""
    assert relay.post("/v1/traces", b"", PROTOBUF) == 200


def test_what_is_no_record_is_counted_and_costs_nothing_else(running: RunningReceiver) -> None:
    trace = os.urandom(16)
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": trace.hex(), "spanId": "02" * 8, "name": "x"}]}]}]}
    good = json.dumps({"kind": "traces", "body": body}).encode()
    lines = [b"no json", b'{"kind": "traces", "protobuf": "%%%"}', b'{"kind": 1, "protobuf": []}', b"[]", good]

    def bad() -> int:
        return sum(gap.count for gap in running.reader.gaps() if gap.kind == "bad spool lines")

    before = bad()
    Splitter(running.spool).feed(b"".join(MARK + line + b"\n" for line in lines))
    until(lambda: running.reader.trace(trace.hex()) is not None)
    until(lambda: bad() == before + 4)


def test_a_span_waits_for_a_relay_that_is_not_there_yet_and_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_PASSWORD", "hunter2-hunter2")
    port = _free_port()
    spool = OtlpSpool(f"http://127.0.0.1:{port}", "catalog")
    context = SpanContext("ab" * 16, "cd" * 8)
    spool.span({"traceId": context.trace_id, "spanId": context.span_id, "name": "commit hunter2-hunter2"})
    spool.flush()
    relay = _start(port, tmp_path / "output")
    try:
        until(lambda: bool(relay.output.read_bytes()))
    finally:
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(10) == 0
    printed = relay.output.read_bytes()
    assert b"commit ***" in printed
    assert context.trace_id.encode() in printed
    assert spool.dropped == 0
