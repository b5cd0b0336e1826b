"""What the catalog server needs of its database: transactions over SqlCatalog's two tables and the server's own.

A thin layer of our own instead of `SqlCatalog` itself, for two reasons: one transaction must span several tables
(transactions/commit) and the idempotency record, which SqlCatalog's session per call cannot; and SQLAlchemy and PyArrow
are imports and memory that a server of metadata does not need. The schema of `iceberg_tables` and
`iceberg_namespace_properties` is SqlCatalog's, so a plain SqlCatalog opens the database.

SQL is written once, with `?` for values, in what SQLite and PostgreSQL have in common.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

SCHEMA_VERSION = 1

log = logging.getLogger("floe.catalog")

Row = tuple[Any, ...]


class DatabaseError(Exception):
    """The database does not answer, or cannot do what it is asked now."""


class OutcomeUnknownError(DatabaseError):
    """The connection was lost while a commit was under way: it may have happened, or not."""


class RefusedValue(Exception):  # noqa: N818 - it says what happened
    """A value that the database cannot hold, such as text with a NUL character."""


class Cursor(Protocol):
    """What both drivers answer a statement with."""

    @property
    def rowcount(self) -> int:
        """How many rows a change touched."""
        ...

    def fetchall(self) -> list[Any]:
        """Every row left."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...


Execute = Callable[[str, tuple[Any, ...]], Cursor]


class Transaction:
    """Statements that happen together, and what has to follow outside the database."""

    def __init__(self, execute: Execute) -> None:
        """`execute` runs a statement on a connection on which a transaction is open."""
        self._execute = execute
        self.after_commit: list[Callable[[], None]] = []
        self.on_rollback: list[Callable[[], None]] = []

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._execute(sql, values).fetchone()
        return row

    def run(self, sql: str, *values: Any) -> int:
        """Execute a change; the number of rows it touched."""
        return self._execute(sql, values).rowcount


class Database(ABC):
    """One database, many threads. Transactions of one thread nest: a read inside a write is that write's own view."""

    #: How many requests that write may be under way at once.
    writer_threads: int = 1

    def __init__(self) -> None:
        self._local = threading.local()

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Transaction]:
        """A transaction with one consistent view, ended with the block."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Transaction]:
        """A transaction that sees the newest state and keeps other writers out; rolled back if the block raises."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open, before this process forks."""

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One consistent view of the database; inside a write, that write's own view. Raises DatabaseError."""
        current: Transaction | None = getattr(self._local, "transaction", None)
        if current is not None:
            yield current
            return
        with self._reading() as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that sees the newest state and keeps other writers out; nested ones join as savepoints.

        Raises DatabaseError, RefusedValue.
        """
        outer: Transaction | None = getattr(self._local, "transaction", None)
        if outer is not None:
            with self._nested(outer):
                yield outer
            return
        transaction: Transaction | None = None
        try:
            with self._writing() as transaction:
                self._local.transaction = transaction
                try:
                    yield transaction
                finally:
                    self._local.transaction = None
        except OutcomeUnknownError:
            # What the transaction has written may be what the catalog now points to.
            raise
        except BaseException:
            if transaction is not None:
                _run(transaction.on_rollback)
            raise
        _run(transaction.after_commit)

    @contextmanager
    def _nested(self, outer: Transaction) -> Iterator[None]:
        committed, rolled_back = len(outer.after_commit), len(outer.on_rollback)
        outer.run("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            outer.run("ROLLBACK TO SAVEPOINT nested")
            outer.run("RELEASE SAVEPOINT nested")
            del outer.after_commit[committed:]
            undo = outer.on_rollback[rolled_back:]
            del outer.on_rollback[rolled_back:]
            _run(undo)
            raise
        outer.run("RELEASE SAVEPOINT nested")


def _run(actions: list[Callable[[], None]]) -> None:
    for action in reversed(actions):
        try:
            action()
        except OSError as error:
            # The transaction has happened, or has not; a file left over does not change what the client is told.
            log.warning("left behind: %s", error)
