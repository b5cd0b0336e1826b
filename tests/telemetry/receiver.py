"""A real receiver process for tests, on a free port, ended with the test."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from floe_dev.model.layout import Layout
from floe_dev.telemetry.query import TelemetryReader

TOKEN = "a-token-of-the-tests-0123456789"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass
class RunningReceiver:
    """One receiver of the project at `root`."""

    root: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def reader(self) -> TelemetryReader:
        return TelemetryReader(Layout(self.root))

    @property
    def spool(self) -> Path:
        return Layout(self.root).telemetry_dir / "spool"

    def post(
        self, path: str, body: bytes, content_type: str = PROTOBUF, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"content-type": content_type} if content_type else {}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("POST", path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def memory(self) -> int:
        """Bytes of memory that the receiver has used at most."""
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(peak) * 1024

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for the condition; what never comes fails the test."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def start(root: Path, *options: str, first: str = "", **environment: str) -> RunningReceiver:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(("bash", "-c", f'{first}; exec "$@"', "bash") if first else ()),
            *(sys.executable, "-m", "floe_dev.telemetry", "--port", str(port), "--instance", "tests"),
            *("--folder", str(Layout(root).telemetry_dir), *options),
        ],
        env={**os.environ, "FLOE_TELEMETRY_TOKEN": TOKEN, **environment},
    )
    give_up = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return RunningReceiver(root, port, process)
        except OSError:
            assert time.monotonic() < give_up
            assert process.poll() is None
            time.sleep(0.02)


@contextlib.contextmanager
def receiver(root: Path, *options: str, first: str = "", **environment: str) -> Iterator[RunningReceiver]:
    running = start(root, *options, first=first, **environment)
    try:
        yield running
    finally:
        running.process.terminate()
        assert running.process.wait(10) in (0, -signal.SIGKILL, -signal.SIGTERM)


def spans(
    trace_id: bytes, count: int = 1, *, service: str = "tests", run: str | None = None, first: int = 1
) -> ExportTraceServiceRequest:
    """A trace with `count` spans, the first one (id 1) its root."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    scope = group.scope_spans.add()
    now = time.time_ns()
    for number in range(first, first + count):
        span = scope.spans.add(
            trace_id=trace_id,
            span_id=number.to_bytes(8, "big"),
            name=f"work {number}",
            start_time_unix_nano=now + number,
            end_time_unix_nano=now + number + 1_000_000,
        )
        if number > 1:
            span.parent_span_id = (1).to_bytes(8, "big")
        elif run is not None:
            span.attributes.add(key="floe.run.id").value.string_value = run
    return request
