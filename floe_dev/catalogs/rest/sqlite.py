"""The catalog's database in one SQLite file: nothing to install or start, for one server."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from floe_dev.catalogs.rest.database import SCHEMA_VERSION, Database, DatabaseError, Transaction
from floe_dev.catalogs.rest.schema import SQLITE


class SqliteDatabase(Database):
    """A connection for each thread; readers never wait (WAL), writers queue in the process."""

    def __init__(self, path: Path | str) -> None:
        """Open or create the file, and the tables that are missing; raises DatabaseError, OSError."""
        super().__init__()
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Queuing here is fair and immediate, where SQLite's busy handler sleeps; BEGIN IMMEDIATE still guards against
        # another process.
        self._writer = threading.Lock()
        try:
            connection = self._connection()
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise DatabaseError(f"made by a newer floe (schema {version}, this one knows {SCHEMA_VERSION})")
            connection.executescript(SQLITE)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except sqlite3.Error as error:
            raise DatabaseError(f"{self._path}: {error}") from error
        self._path.chmod(0o600)

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            del self._local.connection

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=10.0)
            connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may lose the last commits, never the consistency; kill -9 loses nothing.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            self._local.connection = connection
        return connection

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with _errors():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                yield Transaction(connection.execute)
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        with _errors():
            connection = self._connection()
            with self._writer:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield Transaction(connection.execute)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DatabaseError(str(error)) from error
