"""The catalog's database in PostgreSQL: for several workers, and several servers, over the same tables.

Writers take one advisory lock for their transaction, so that everything a handler has looked at still holds when it
commits: of two commits on one base exactly one wins, whichever workers they came to, and no namespace goes while a
table is made in it. It is what SQLite does, so the handlers are the same. Readers take no lock and never wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from floe_dev.catalogs.rest.database import (
    SCHEMA_VERSION,
    Cursor,
    Database,
    DatabaseError,
    OutcomeUnknownError,
    RefusedValue,
    Transaction,
)
from floe_dev.catalogs.rest.schema import POSTGRESQL

#: Advisory locks are numbers that a database's users agree on.
_WRITERS = 0x666C6F65
_SCHEMA = _WRITERS + 1
#: Seconds to wait for a connection: at the start, where the database has to answer, and for one of a busy pool.
START_SECONDS = 5.0
_BUSY_SECONDS = 10.0
MAX_CONNECTIONS = 8


class PostgresqlDatabase(Database):
    """A pool of connections, each checked before use, so that a restarted database costs no request."""

    writer_threads = 3

    def __init__(self, where: str) -> None:
        """Connect to `postgresql://…` and make the tables that are missing; raises DatabaseError."""
        super().__init__()
        try:
            with psycopg.connect(where, autocommit=True, connect_timeout=round(START_SECONDS)) as connection:
                _make_tables(connection)
        except psycopg.Error as error:
            raise DatabaseError(_first_line(error)) from error
        self._pool = ConnectionPool(
            where,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            timeout=_BUSY_SECONDS,
            # Statements that are asked for again and again are planned once.
            kwargs={"autocommit": True, "prepare_threshold": 2},
            check=ConnectionPool.check_connection,
            name="catalog",
            open=True,
        )

    def close(self) -> None:
        """Close the pool, its threads with it."""
        self._pool.close()

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as transaction:
            yield transaction

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        # Under READ COMMITTED every statement sees what was committed before it, and with the lock nobody commits now.
        with self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED") as transaction:
            transaction.one("SELECT pg_advisory_xact_lock(?)", _WRITERS)
            yield transaction

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        with _errors(), self._pool.connection() as connection:
            connection.execute(begin.encode())
            try:
                yield Transaction(lambda sql, values: _execute(connection, sql, values))
                _commit(connection)
            except BaseException:
                if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    connection.execute("ROLLBACK")
                raise


def _commit(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute("COMMIT")
    except psycopg.OperationalError as error:
        raise OutcomeUnknownError(_first_line(error)) from error


def _make_tables(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        # Several workers start at once; the first one makes the tables.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA,))
        connection.execute("CREATE TABLE IF NOT EXISTS floe_schema (version BIGINT NOT NULL)")
        known = connection.execute("SELECT version FROM floe_schema").fetchone()
        if known is not None and known[0] > SCHEMA_VERSION:
            raise DatabaseError(f"made by a newer floe (schema {known[0]}, this one knows {SCHEMA_VERSION})")
        connection.execute(POSTGRESQL.encode())
        if known is None:
            connection.execute("INSERT INTO floe_schema VALUES (%s)", (SCHEMA_VERSION,))


def _execute(connection: psycopg.Connection[Any], sql: str, values: tuple[Any, ...]) -> Cursor:
    return connection.execute(_statement(sql), values)


@lru_cache(maxsize=512)
def _statement(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseError(f"no connection within {_BUSY_SECONDS:g} s") from error
    except psycopg.DataError as error:
        raise RefusedValue(_first_line(error)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
