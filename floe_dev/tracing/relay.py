"""`python -m floe_dev.tracing.relay`: takes OTLP over HTTP inside a container network, and prints it.

Catalogs in containers, and a user's own services beside them, send their spans here; the supervisor reads this
container's output (floe_dev.tracing.stream). The standard library's server is enough for it: a handful of senders,
batches every few seconds, and an image without further packages.
"""

from __future__ import annotations

import signal
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from floe_dev.tracing.stream import record_line

PORT = 4318
#: Largest body in bytes, as sent and unpacked.
MAX_BODY = 16_000_000
_PATHS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
_out = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """One sender's connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """`/health`, and nothing else."""
        self._answer(200 if self.path == "/health" else 404)

    def do_POST(self) -> None:
        """One OTLP message; 200 once it is printed."""
        kind = _PATHS.get(self.path.rstrip("/"))
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(413 if length.isdigit() else 411)
            return
        body = self.rfile.read(int(length))
        if kind is None:
            self._answer(404)
            return
        try:
            if self.headers.get("Content-Encoding") == "gzip":
                unpacker = zlib.decompressobj(wbits=31)
                body = unpacker.decompress(body, MAX_BODY)
                if not unpacker.eof:
                    self._answer(413)
                    return
            line = record_line(kind, body, as_json=self._as_json())
        except (ValueError, zlib.error):
            self._answer(400)
            return
        with _out:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        self._answer(200, b"{}" if self._as_json() else b"")

    def _as_json(self) -> bool:
        return self.headers.get_content_type() == "application/json"

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if self._as_json() else "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing of every request."""


def main(host: str = "0.0.0.0", port: int = PORT) -> int:  # noqa: S104 - the network is the container's own
    """Serve until SIGTERM; the exit code."""

    def end(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    # The first process of a container has no default for it.
    signal.signal(signal.SIGTERM, end)
    with ThreadingHTTPServer((host, port), Handler) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
