"""Telemetry in a container's output: one record a line, told from the log's lines by its first character.

The receiver listens on 127.0.0.1 alone, where no container reaches it, and a folder of this machine cannot be mounted
with every engine (rootless, in a virtual machine, remote). A container's output comes here with all of them.
"""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path

from floe_dev.tracing.spool import put

log = logging.getLogger("floe.telemetry")

#: The character before each record: RS, as in JSON text sequences (RFC 7464).
MARK = b"\x1e"
#: Longest record that is put together again; the relay takes no larger ones.
MAX_RECORD = 32_000_000


def record_line(kind: str, body: bytes, *, as_json: bool) -> bytes:
    """An OTLP message as a line of output; ValueError for a body that is not the JSON it says it is."""
    content = {"kind": kind, "body": json.loads(body)} if as_json else {"kind": kind, "protobuf": _packed(body)}
    return MARK + json.dumps(content).encode() + b"\n"


def _packed(body: bytes) -> str:
    return base64.b64encode(body).decode()


class Splitter:
    """Takes a container's output as it comes: records go to the spool's `folder`, the rest is its log."""

    def __init__(self, folder: Path) -> None:
        """Nothing is written before the first record."""
        self._folder = folder
        self._rest = b""
        self._lost = 0

    def feed(self, chunk: bytes) -> bytes:
        """What of it is log: whole lines, and of an unfinished one what cannot be a record."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        text = b"".join(line + b"\n" for line in lines if not line.startswith(MARK))
        records = [line[1:] for line in lines if line.startswith(MARK)]
        if self._rest and not self._rest.startswith(MARK):
            text, self._rest = text + self._rest, b""
        if len(self._rest) > MAX_RECORD:
            self._rest = b""
            self._lost += 1
        if records:
            self._keep(records)
        return text

    def _keep(self, records: list[bytes]) -> None:
        lines = [record.decode("utf-8", "replace") for record in records]
        if self._lost:
            gap = {"count": self._lost, "reason": "a record in a container's output was too long"}
            lines.append(json.dumps({"kind": "gap", "body": gap}))
        why = put(self._folder, "".join(line + "\n" for line in lines))
        if why is None:
            self._lost = 0
        else:
            log.warning("telemetry of a container is dropped: %s", why)
            self._lost += len(records)
