"""OTLP over gRPC, for SDKs that speak nothing else: the same writer, the same token, a port of its own.

It begins to listen a moment after the receiver is ready, in a thread, so that no start waits for gRPC's import.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hmac
import logging
import socket
import threading
from pathlib import Path
from typing import Any

from floe_dev.telemetry.app import MAX_BODY, success
from floe_dev.telemetry.decode import BadRequestError
from floe_dev.telemetry.writer import BusyError, Kind, Request, Writer

log = logging.getLogger("floe.telemetry")

#: OTLP/gRPC's registered port: preferred, not insisted on.
PORT = 4317
#: Holds the port, beside the store.
PORT_FILE = "grpc-port"
_DELAY_SECONDS = 1.5
_STORE_SECONDS = 30.0
_SERVICES: dict[str, Kind] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}


class GrpcServer:
    """Listens on 127.0.0.1 from a moment after it was made until it is closed."""

    def __init__(self, writer: Writer, token: str, folder: Path) -> None:
        """`folder` is where the port is written, once it is known."""
        self._writer = writer
        self._expected = f"Bearer {token}".encode()
        self._file = folder / PORT_FILE
        self._server: Any = None
        self._timer = threading.Timer(_DELAY_SECONDS, self._start)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Stop listening."""
        self._timer.cancel()
        if self._server is not None:
            self._server.stop(0.5)

    def _start(self) -> None:
        try:
            import grpc
        except ImportError as error:
            log.warning("OTLP over gRPC is not taken: %s", error)
            return
        handlers = [
            grpc.method_handlers_generic_handler(
                service, {"Export": grpc.unary_unary_rpc_method_handler(self._handler(grpc, kind))}
            )
            for service, kind in _SERVICES.items()
        ]
        options = (("grpc.max_receive_message_length", MAX_BODY), ("grpc.so_reuseport", 0))
        server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(4, thread_name_prefix="grpc"), handlers=handlers, options=options
        )
        port = _bind(server, self._file)
        server.start()
        self._server = server
        try:
            self._file.write_text(str(port))
        except OSError as error:
            log.warning("OTLP over gRPC is taken at port %d, which `floe env` does not know: %s", port, error)

    def _handler(self, grpc: Any, kind: Kind) -> Any:
        def export(body: bytes, context: Any) -> bytes:
            given = dict(context.invocation_metadata()).get("authorization", "")
            if not hmac.compare_digest(str(given).encode(), self._expected):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "send the stack's token: floe env prints it")
            try:
                stored = self._writer.put(Request(kind, body, as_json=False)).result(_STORE_SECONDS)
            except BadRequestError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except (BusyError, TimeoutError) as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))  # which senders try again
            return success(kind, stored, as_json=False)

        return export


def _bind(server: Any, file: Path) -> int:
    """The port of the last time, else gRPC's own, else any."""
    wanted = [PORT, 0]
    with contextlib.suppress(OSError, ValueError):
        wanted.insert(0, int(file.read_text()))
    for port in wanted:
        # Asked of the system first: gRPC's own core writes an error of its own where a port is taken.
        with contextlib.suppress(RuntimeError, OSError):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            bound = int(server.add_insecure_port(f"127.0.0.1:{port}"))
            if bound:
                return bound
    raise OSError("no port for OTLP over gRPC")
