"""Connections: dbt-duckdb's, never inside a DuckDB transaction."""

from __future__ import annotations

import atexit
from typing import Any

from dbt.adapters.contracts.connection import Connection
from dbt.adapters.duckdb.connections import DuckDBConnectionManager


class FloeConnectionManager(DuckDBConnectionManager):
    """A transaction would pin what DuckDB saw of the catalog, and commit nothing we wrote."""

    TYPE = "floe"

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Open, and let dbt-duckdb's own code, which asks its base class, find the environment."""
        opened: Connection = super().open(connection)
        DuckDBConnectionManager._ENV = cls._ENV  # noqa: SLF001
        return opened

    def begin(self) -> Any:
        """Do nothing: see the class."""
        return self.get_thread_connection()

    def commit(self) -> Any:
        """Do nothing: see the class."""
        return self.get_thread_connection()

    def add_query(self, sql: str, auto_begin: bool = True, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Run `sql` on its own."""
        return super().add_query(sql, False, *args, **kwargs)


atexit.register(FloeConnectionManager.close_all_connections)
