"""dbt-duckdb's hook into a new connection: load the extensions before the catalog is attached, views after."""

from __future__ import annotations

import importlib
import threading
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from floe_dev.compute.duckdb import load_extensions
from floe_dev.compute.views import hydrate_views
from floe_dev.dbt.adapter.credentials import FloeCredentials
from floe_dev.model.connection import CatalogConnection


class Plugin(BasePlugin):
    """Configures each DuckDB instance and cursor of a dbt invocation."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002
        """Nothing is hydrated yet."""
        self._hydrated = False
        self._lock = threading.Lock()

    def configure_connection(self, conn: Any) -> None:
        """Load the extensions from their wheels, and the code that writes tables.

        Here one thread is at work. Left to dbt's threads, which would all need it at once, PyIceberg's circular imports
        can deadlock each other.
        """
        load_extensions(conn)
        for module in ("incremental", "table"):
            importlib.import_module(f"floe_dev.dbt.adapter.{module}")

    def configure_cursor(self, cursor: Any) -> None:
        """Make the catalog's views, once; every cursor shares them."""
        with self._lock:
            if not self._hydrated:
                self._hydrated = True
                hydrate_views(cursor, self._connection())

    def _connection(self) -> CatalogConnection:
        assert isinstance(self.creds, FloeCredentials)
        return self.creds.connection()
