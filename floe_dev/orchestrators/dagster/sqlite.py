"""Dagster's SQLite files without a wait for the disk at every event.

Dagster opens and closes its files for each event it stores, and SQLite then waits for the disk three times: once for
the commit and twice to fold its write-ahead log back into the file, as the last connection does when it closes. A run
that plans thirty partitions of two assets waits hundreds of times before its first step.

A killed process loses nothing by what is set here; a loss of power does (SQLite's documentation of `synchronous`):

- The files that all runs share get `NORMAL`: they may lose the last events, and stay whole. One connection stays open,
  so that no other one is the last.
- The file of a single run gets `OFF`: it may be lost, and with it this one run's log. It has to fold its log at every
  event, since Dagster's web server learns of a run's news by that change of the file.

Importing this module is what turns it on, in every process that is forked after it (preload.py).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

#: Dagster's files that are not one run's.
_SHARED = frozenset({"index.db", "runs.db", "schedules.db"})
_held: dict[str, sqlite3.Connection] = {}


@event.listens_for(Engine, "connect")
def _on_connect(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    shared = Path(file).name in _SHARED
    connection.execute(f"PRAGMA synchronous={'NORMAL' if shared else 'OFF'}")
    if shared and file not in _held and connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        _held[file] = sqlite3.connect(file, check_same_thread=False)
        # A connection counts as one from its first look at the file.
        _held[file].execute("PRAGMA schema_version").fetchone()
