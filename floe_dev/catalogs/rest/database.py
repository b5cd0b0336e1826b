"""The SQLite database: SqlCatalog's two tables plus the catalog server's own, and transactions over both.

A thin layer of our own instead of `SqlCatalog` itself, for two reasons: one transaction must span several tables
(transactions/commit) and the idempotency record, which SqlCatalog's session per call cannot; and SQLAlchemy and PyArrow
are imports and memory that a server of metadata does not need. The schema of `iceberg_tables` and
`iceberg_namespace_properties` is SqlCatalog's, so a plain SqlCatalog opens the file.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000),
    PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000) NOT NULL, PRIMARY KEY (catalog_name, namespace, property_key));
CREATE TABLE IF NOT EXISTS floe_locations (
    catalog_name TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL,
    PRIMARY KEY (catalog_name, kind, namespace, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS floe_locations_by_location ON floe_locations (location);
CREATE TABLE IF NOT EXISTS floe_views (
    catalog_name TEXT NOT NULL, view_namespace TEXT NOT NULL, view_name TEXT NOT NULL, metadata_location TEXT NOT NULL,
    previous_metadata_location TEXT, PRIMARY KEY (catalog_name, view_namespace, view_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_catalogs (
    name TEXT PRIMARY KEY, type TEXT NOT NULL, properties TEXT NOT NULL, storage TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_principals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, client_id TEXT NOT NULL UNIQUE,
    secret TEXT NOT NULL, properties TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS floe_principal_roles (
    name TEXT PRIMARY KEY, properties TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_catalog_roles (
    catalog_name TEXT NOT NULL REFERENCES floe_catalogs (name) ON DELETE CASCADE, name TEXT NOT NULL,
    properties TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (catalog_name, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_principal_assignments (
    principal_id INTEGER NOT NULL REFERENCES floe_principals (id) ON DELETE CASCADE,
    principal_role TEXT NOT NULL REFERENCES floe_principal_roles (name) ON DELETE CASCADE,
    PRIMARY KEY (principal_id, principal_role)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_role_assignments (
    principal_role TEXT NOT NULL REFERENCES floe_principal_roles (name) ON DELETE CASCADE,
    catalog_name TEXT NOT NULL, catalog_role TEXT NOT NULL, PRIMARY KEY (principal_role, catalog_name, catalog_role),
    FOREIGN KEY (catalog_name, catalog_role) REFERENCES floe_catalog_roles (catalog_name, name) ON DELETE CASCADE)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_grants (
    catalog_name TEXT NOT NULL, catalog_role TEXT NOT NULL, type TEXT NOT NULL, namespace TEXT NOT NULL,
    name TEXT NOT NULL, privilege TEXT NOT NULL,
    PRIMARY KEY (catalog_name, catalog_role, type, namespace, name, privilege),
    FOREIGN KEY (catalog_name, catalog_role) REFERENCES floe_catalog_roles (catalog_name, name) ON DELETE CASCADE)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS floe_idempotency (
    principal_id INTEGER NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, body BLOB,
    created INTEGER NOT NULL, PRIMARY KEY (principal_id, key)) WITHOUT ROWID;
"""

log = logging.getLogger("floe.catalog")

Row = tuple[Any, ...]


class Transaction:
    """Statements that happen together, and what has to follow outside the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Wrap a connection on which a transaction is open."""
        self._connection = connection
        self.after_commit: list[Callable[[], None]] = []
        self.on_rollback: list[Callable[[], None]] = []

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def run(self, sql: str, *values: Any) -> int:
        """Execute a change; the number of rows it touched."""
        return self._connection.execute(sql, values).rowcount


class Database:
    """One file, many threads: a connection each, readers never wait (WAL), writers queue in the process."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, and the tables that are missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        # Queuing here is fair and immediate, where SQLite's busy handler sleeps; BEGIN IMMEDIATE still guards against
        # another process.
        self._writer = threading.Lock()
        connection = self._connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"made by a newer floe (schema {version}, this one knows {SCHEMA_VERSION})")
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        path.chmod(0o600)

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
    def read(self) -> Iterator[Transaction]:
        """One consistent view of the database; inside a write, that write's own view."""
        current: Transaction | None = getattr(self._local, "transaction", None)
        if current is not None:
            yield current
            return
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield Transaction(connection)
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that sees the newest state and keeps other writers out; nested ones join as savepoints."""
        outer: Transaction | None = getattr(self._local, "transaction", None)
        if outer is not None:
            with self._nested(outer):
                yield outer
            return
        connection = self._connection()
        with self._writer:
            connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection)
            self._local.transaction = transaction
            try:
                yield transaction
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                _run(transaction.on_rollback)
                raise
            finally:
                self._local.transaction = None
        _run(transaction.after_commit)

    @contextmanager
    def _nested(self, outer: Transaction) -> Iterator[None]:
        committed, rolled_back = len(outer.after_commit), len(outer.on_rollback)
        outer.run("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            outer.run("ROLLBACK TO nested")
            outer.run("RELEASE nested")
            del outer.after_commit[committed:]
            undo = outer.on_rollback[rolled_back:]
            del outer.on_rollback[rolled_back:]
            _run(undo)
            raise
        outer.run("RELEASE nested")


def _run(actions: list[Callable[[], None]]) -> None:
    for action in reversed(actions):
        try:
            action()
        except OSError as error:
            # The transaction has happened, or has not; a file left over does not change what the client is told.
            log.warning("left behind: %s", error)
