"""dbt-duckdb's hook into a new connection: load the extensions before the catalog is attached, views after."""

from __future__ import annotations

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
        """Load the extensions from their wheels."""
        load_extensions(conn)

    def configure_cursor(self, cursor: Any) -> None:
        """Make the catalog's views, once; every cursor shares them."""
        with self._lock:
            if not self._hydrated:
                self._hydrated = True
                hydrate_views(cursor, self._connection())

    def _connection(self) -> CatalogConnection:
        assert isinstance(self.creds, FloeCredentials)
        return self.creds.connection()
