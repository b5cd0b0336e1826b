"""The store's SQLite file: tables, pragmas, version. Only the receiver writes it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from floe_dev.model.layout import Layout

#: Raised when the tables change their meaning; a store of another version is put aside, not converted.
VERSION = 1

_TABLES = """
CREATE TABLE traces (
  trace_id BLOB PRIMARY KEY, name TEXT NOT NULL, service TEXT NOT NULL, has_root INTEGER NOT NULL,
  start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, spans INTEGER NOT NULL, errors INTEGER NOT NULL,
  bytes INTEGER NOT NULL, received REAL NOT NULL, run_id TEXT
) WITHOUT ROWID;
CREATE INDEX traces_start ON traces (start_ns);
CREATE INDEX traces_received ON traces (received);
CREATE TABLE spans (
  trace_id BLOB NOT NULL, span_id BLOB NOT NULL, resource INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE TABLE resources (id INTEGER PRIMARY KEY, body BLOB NOT NULL UNIQUE);
CREATE TABLE trace_keys (
  key TEXT NOT NULL, value TEXT NOT NULL, trace_id BLOB NOT NULL, PRIMARY KEY (key, value, trace_id)
) WITHOUT ROWID;
CREATE INDEX trace_keys_trace ON trace_keys (trace_id);
CREATE TABLE logs (
  id INTEGER PRIMARY KEY, trace_id BLOB, time_ns INTEGER NOT NULL, service TEXT NOT NULL, body BLOB NOT NULL,
  received REAL NOT NULL, digest BLOB NOT NULL UNIQUE
);
CREATE INDEX logs_trace ON logs (trace_id, time_ns);
CREATE TABLE metrics (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, service TEXT NOT NULL, received REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX metrics_name ON metrics (name, id);
CREATE TABLE lineage (
  id INTEGER PRIMARY KEY, time REAL NOT NULL, type TEXT NOT NULL, run_id TEXT NOT NULL, job TEXT NOT NULL,
  received REAL NOT NULL, body TEXT NOT NULL, digest BLOB NOT NULL UNIQUE
);
CREATE INDEX lineage_run ON lineage (run_id);
CREATE TABLE edges (
  source TEXT NOT NULL, source_column TEXT NOT NULL, target TEXT NOT NULL, target_column TEXT NOT NULL,
  job TEXT NOT NULL, seen REAL NOT NULL, PRIMARY KEY (source, source_column, target, target_column)
) WITHOUT ROWID;
CREATE TABLE gaps (kind TEXT PRIMARY KEY, count INTEGER NOT NULL, reason TEXT NOT NULL, last_at REAL NOT NULL);
CREATE TABLE revision (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
INSERT INTO revision VALUES (1, 0);
"""


def store_file(layout: Layout) -> Path:
    """Where a project's telemetry is kept."""
    return layout.telemetry_dir / "telemetry.db"


def open_for_writing(file: Path) -> sqlite3.Connection:
    """The store's one writing connection; a damaged file or one of another version is put aside and begun anew.

    Raises:
        OSError: the folder cannot be made or written.
        sqlite3.Error: the disk is full or fails.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _open(file)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "file is not a database" not in str(error):
            raise
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        file.replace(file.with_name(file.name + ".damaged"))
        return _open(file)


def open_for_reading(file: Path) -> sqlite3.Connection | None:
    """A connection that cannot write; None while there is no store, or one of another version."""
    if not file.exists():
        return None
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        connection.close()
        return None
    if version != VERSION:
        connection.close()
        return None
    return connection


def _open(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        connection.executescript(
            # NORMAL: a commit survives the process's death; only a power cut may cost the last ones.
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-24000;"
            "PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=33554432; PRAGMA temp_store=MEMORY;"
        )
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"the store is of version {version}")
    except BaseException:
        connection.close()
        raise
    return connection
