"""Collecting the spool: what floe's own processes wrote goes through the same writer as what came over HTTP."""

from __future__ import annotations

import base64
import json
import logging
import threading
from pathlib import Path
from typing import Any

from floe_dev.telemetry.decode import BadRequestError
from floe_dev.telemetry.pack import packed
from floe_dev.telemetry.store import Limits
from floe_dev.telemetry.writer import BusyError, Kind, Request, Writer
from floe_dev.tracing.spool import SUFFIX

log = logging.getLogger("floe.telemetry")

#: Seconds between two looks into the folder, and after the store refused.
INTERVAL_SECONDS = 0.25
_REFUSED_SECONDS = 2.0
#: Files taken at once, and the largest one that is read.
_FILES = 64
_MAX_BYTES = 64_000_000
_KINDS: frozenset[Kind] = frozenset({"traces", "logs", "metrics", "lineage"})


class Collector:
    """A thread that stores and deletes the spool's files, oldest first."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        """Begins at once."""
        self._folder = folder
        self._writer = writer
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collect", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the file in hand, look once more, and end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            last = self._ending.is_set()
            pause = self._look()
            if last:
                return
            if pause:
                self._ending.wait(pause)

    def _look(self) -> float:
        """Take what is there; the seconds to wait before the next look."""
        try:
            names = _waiting(self._folder)
            for name in names:
                _take(self._folder / name, self._writer)
        except BusyError:
            return _REFUSED_SECONDS
        except OSError as error:
            log.warning("the spool cannot be read: %s", error)
            return _REFUSED_SECONDS
        return 0.0 if len(names) == _FILES else INTERVAL_SECONDS


def collect(folder: Path, file: Path) -> None:
    """Store what waits in the spool `folder` into the store `file`, now, without a receiver.

    Raises:
        BusyError: the store refuses; what is not stored stays in the spool.
        OSError, sqlite3.Error: the files cannot be read or made.
    """
    names = _waiting(folder)
    if not names:
        return
    writer = Writer(file, Limits())
    try:
        while names:
            for name in names:
                _take(folder / name, writer)
            names = _waiting(folder)
    finally:
        writer.close()


def _waiting(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(SUFFIX))[:_FILES]
    except FileNotFoundError:
        return []


def _take(file: Path, writer: Writer) -> None:
    """Store one file's lines, then delete it; after a crash between the two it is stored again, which changes nothing.

    Raises:
        BusyError: the store refuses; the file stays.
        OSError: it cannot be read or deleted.
    """
    if file.stat().st_size > _MAX_BYTES:
        writer.lose("bad spool files", 1, f"{file.name} is larger than {_MAX_BYTES} bytes")
        file.unlink()
        return
    answers = []
    for line in file.read_bytes().splitlines():
        try:
            content = json.loads(line)
            kind = content["kind"]
            if kind == "gap":
                writer.lose("dropped", int(content["body"]["count"]), str(content["body"]["reason"]))
                continue
            if kind not in _KINDS:
                raise BadRequestError(f"unknown kind {kind!r}")
            request = _request(kind, content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            writer.lose("bad spool lines", 1, str(error))
            continue
        answers.append(writer.put(request))
    for answer in answers:
        # What cannot be read was counted by the writer; only a store that refuses makes the file stay.
        if isinstance(refused := answer.exception(), BusyError):
            raise refused
    file.unlink(missing_ok=True)


def _request(kind: Kind, line: dict[str, Any]) -> Request:
    """A line as a request: packed where it can be, so that it costs what one over the wire does."""
    if (carried := line.get("protobuf")) is not None:
        return Request(kind, base64.b64decode(carried, validate=True), as_json=False)
    if (content := packed(kind, line["body"])) is not None:
        return Request(kind, content, as_json=False)
    return Request(kind, json.dumps(line["body"]).encode(), as_json=True)
