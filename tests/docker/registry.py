"""A small image registry on 127.0.0.1 that serves one image, or refuses in the ways that real ones do."""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_REFUSALS = {
    "gone": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "login": (401, "UNAUTHORIZED", "authentication required"),
    "denied": (403, "DENIED", "requested access to the resource is denied"),
    "limit": (
        429,
        "TOOMANYREQUESTS",
        "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
    ),
}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer(size: int, name: str) -> bytes:
    """A layer of one file of `size` bytes that no compression makes smaller."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return buffer.getvalue()


@dataclass
class Registry:
    """What it serves: blobs and one manifest, or a refusal by its kind."""

    port: int
    refusal: str | None = None
    #: Seconds between two parts of a blob.
    slow: float = 0.0
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""

    @property
    def digest(self) -> str:
        """The manifest's, by which the image is pinned."""
        return _digest(self.manifest)

    def image(self, name: str = "box:1") -> str:
        return f"127.0.0.1:{self.port}/{name}"

    def serve(self, *, layers: int = 3, size: int = 1_000_000, architecture: str = "amd64") -> None:
        """Serve an image of so many layers of so many bytes; there is no program in it."""
        plain = [layer(size, f"file{number}") for number in range(layers)]
        packed = [gzip.compress(content, 1) for content in plain]
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Cmd": ["/nothing"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(content) for content in plain]},
                "history": [{"created_by": "a test"}] * layers,
            }
        ).encode()
        self.blobs = {_digest(content): content for content in (*packed, config)}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json",
                    "size": len(config),
                    "digest": _digest(config),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "size": len(content),
                        "digest": _digest(content),
                    }
                    for content in packed
                ],
            }
        ).encode()


def _enter_network(pid: int) -> None:
    """Move this thread into the network of a process; sockets made from now on are there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        if libc.setns(namespace.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def registry(network_of: int | None = None) -> Iterator[Registry]:
    """A running one, in this network or in that of a process."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _send(self, status: int, content: bytes, kind: str, head: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if kind == _MANIFEST:
                self.send_header("Docker-Content-Digest", _digest(content))
            self.end_headers()
            if head:
                return
            for start in range(0, len(content), 65_536):
                self.wfile.write(content[start : start + 65_536])
                time.sleep(served.slow)

        def _answer(self, head: bool) -> None:
            if self.path == "/v2/":
                self._send(200, b"{}", "application/json", head)
            elif served.refusal is not None:
                status, code, message = _REFUSALS[served.refusal]
                body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
                self._send(status, body, "application/json", head)
            elif "/manifests/" in self.path:
                self._send(200, served.manifest, _MANIFEST, head)
            else:
                blob = served.blobs.get(self.path.rpartition("/")[2], b"")
                self._send(200 if blob else 404, blob, "application/octet-stream", head)

        def do_GET(self) -> None:
            self._answer(head=False)

        def do_HEAD(self) -> None:
            self._answer(head=True)

        def log_message(self, *_args: Any) -> None:
            pass

    made: list[ThreadingHTTPServer] = []

    def make() -> None:
        if network_of is not None:
            _enter_network(network_of)
        made.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    # In a thread of its own, which takes its network with it when it ends.
    maker = threading.Thread(target=make)
    maker.start()
    maker.join()
    (server,) = made
    server.daemon_threads = True
    served = Registry(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
