"""Writing a capsule: bounded, scrubbed, and finished under another name, so that a half one is never found."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from floe_dev import __version__
from floe_dev.capsule.form import DEFAULT_BYTES, MANIFEST, Manifest
from floe_dev.capsule.scrub import Scrubber

#: Parts of the whole that one log, one trace store, one table's metadata may take.
_LOG_PART, _STORE_PART, _TEXT_PART = 0.15, 0.4, 0.1
_TABLES = ("resources", "spans", "traces", "trace_keys", "logs", "lineage", "edges", "gaps")


class CapsuleWriter:
    """Adds one thing after another; what does not fit is left out and named, never an error."""

    def __init__(self, file: Path, scrubber: Scrubber, limit: int = DEFAULT_BYTES) -> None:
        """`limit` bounds the bytes of the zip; raises OSError where the folder cannot be made or written."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self.missing: list[str] = []
        self._scrub = scrubber
        self._limit = limit
        self._unfinished = file.with_name(f".{file.name}.{os.getpid()}.part")
        descriptor = os.open(self._unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._stream = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        """For `with`: an exception leaves no file."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        """Close; without `finish` nothing stays."""
        self._zip.close()
        self._stream.close()
        self._unfinished.unlink(missing_ok=True)

    def text(self, name: str, text: str, *, part: float = _TEXT_PART) -> None:
        """A text file; of a long one its end, where failures are told."""
        clean = self._scrub.text(text).encode("utf-8", "replace")
        most = int(self._limit * part)
        if len(clean) > most:
            self.missing.append(f"{name}: the first {len(clean) - most} bytes (the capsule's size is bounded)")
            clean = clean[-most:]
        self._put(name, clean)

    def json(self, name: str, content: Any) -> None:
        """A JSON document, whole or not at all."""
        text = json.dumps(self._scrub.value(content), ensure_ascii=False, default=str, indent=1)
        self._put(name, text.encode("utf-8", "replace"))

    def log(self, name: str, file: Path) -> None:
        """The end of a log file."""
        most = int(self._limit * _LOG_PART)
        with file.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - most))
            content = source.read(most)
        if size > most:
            self.missing.append(f"{name}: the first {size - most} bytes (the capsule's size is bounded)")
        self._put(name, self._scrub.text(content.decode("utf-8", "replace")).encode("utf-8", "replace"))

    def data(self, name: str, content: bytes) -> None:
        """Data that was asked for, as it is."""
        self._put(name, content)

    def store(self, name: str, file: Path) -> None:
        """The newest traces of a telemetry store with all that belongs to them, secrets overwritten."""
        from floe_dev.telemetry.schema import open_for_reading, open_for_writing

        source = open_for_reading(file)
        if source is None:
            return
        with tempfile.TemporaryDirectory(prefix="floe-capsule-") as folder:
            copy = Path(folder) / "telemetry.db"
            target = open_for_writing(copy)
            try:
                dropped = self._copy(source, target, int(self._limit * _STORE_PART))
            finally:
                source.close()
                target.execute("PRAGMA journal_mode=DELETE")
                target.close()
            if dropped:
                self.missing.append(f"{name}: the {dropped} oldest traces (the capsule's size is bounded)")
            self._put(name, copy.read_bytes())

    def _copy(self, source: sqlite3.Connection, target: sqlite3.Connection, most: int) -> int:
        """Copy the newest traces, at most `most` bytes of spans; how many were left out."""
        total, dropped = 0, 0
        chosen: list[bytes] = []
        for trace_id, size in source.execute("SELECT trace_id, bytes FROM traces ORDER BY start_ns DESC"):
            if total + size > most and chosen:
                dropped += 1
                continue
            total += size
            chosen.append(trace_id)
        wanted = set(chosen)
        target.execute("BEGIN")
        for table in _TABLES:
            columns = [str(row[1]) for row in source.execute(f"PRAGMA table_info({table})")]
            place = columns.index("trace_id") if "trace_id" in columns else None
            marks = ", ".join("?" * len(columns))
            query = f"SELECT * FROM {table}"  # noqa: S608 - names of our own tables
            if table in ("logs", "lineage"):
                query += " ORDER BY id DESC LIMIT 20000"
            for row in source.execute(query):
                if place is not None and row[place] is not None and row[place] not in wanted and table != "logs":
                    continue
                clean = [self._cell(cell) for cell in row]
                target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", clean)  # noqa: S608
        target.execute("UPDATE revision SET number = 1")
        target.execute("COMMIT")
        return dropped

    def _cell(self, cell: Any) -> Any:
        if isinstance(cell, bytes):
            return self._scrub.packed(cell)
        return self._scrub.packed(cell.encode()).decode() if isinstance(cell, str) else cell

    def finish(self, *, kind: str, title: str, project: str, stack: str = "", details: Any = None) -> Path:
        """Write the manifest and give the file its name; raises OSError."""
        manifest = Manifest(
            floe=__version__,
            created_at=time.time(),
            kind=kind,
            title=self._scrub.text(title)[:500],
            project=project,
            stack=stack,
            missing=tuple(self._scrub.text(line) for line in self.missing),
            details=self._scrub.value(details or {}),
        )
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()
        self._stream.flush()
        os.replace(self._unfinished, self.file)  # noqa: PTH105 - atomic, over an older one
        return self.file

    def _put(self, name: str, content: bytes) -> None:
        self._stream.flush()
        import zlib

        # What is added is known only once it is compressed; a file that would not fit is not begun.
        if self._stream.tell() + len(zlib.compress(content, 1)) > self._limit:
            self.missing.append(f"{name}: no room left (the capsule's size is bounded)")
            return
        self._zip.writestr(name, content)


def each(writer: CapsuleWriter, what: str, do: Any) -> Any:
    """What `do` answers; a failure of it is named in the capsule instead of ending it."""
    try:
        return do()
    except Exception as error:  # noqa: BLE001 - a capsule of a broken stack must hold what can still be had
        writer.missing.append(f"{what}: {type(error).__name__}: {error}")
        return None


def lines(items: Iterable[str]) -> str:
    """Text of lines."""
    return "".join(f"{item}\n" for item in items)
