"""DuckDB as the platform's compute: in dbt's own process, by floe's adapter."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from floe_dev.model.connection import CatalogConnection
from floe_dev.model.project import Project

#: Keys of the profile that are no settings of DuckDB.
_OWN = ("threads", "path")


class DuckDBCompute:
    """DuckDB."""

    type = "duckdb"
    modules: tuple[str, ...] = ()
    extra = ""

    def dbt_output(self, project: Project) -> dict[str, Any]:
        """Reads like dbt-duckdb's with `attach:`; only `type` is floe's."""
        catalog, properties = project.catalog(), project.compute().properties
        output: dict[str, Any] = {
            "type": "floe",
            "path": ":memory:",
            "database": catalog.alias,
            "schema": (project.namespaces() or ("main",))[0],
            "threads": int(properties.get("threads", 4)),
            "attach": [
                {
                    "path": "{{ env_var('POLARIS_WAREHOUSE') }}",
                    "alias": catalog.alias,
                    "type": "iceberg",
                    "options": {
                        "ENDPOINT": "{{ env_var('POLARIS_URI') }}",
                        "CLIENT_ID": "{{ env_var('POLARIS_CLIENT_ID') }}",
                        "CLIENT_SECRET": "{{ env_var('POLARIS_CLIENT_SECRET') }}",
                        "OAUTH2_SERVER_URI": "{{ env_var('POLARIS_URI') }}/v1/oauth/tokens",
                        "OAUTH2_SCOPE": "{{ env_var('POLARIS_SCOPE', 'PRINCIPAL_ROLE:ALL') }}",
                        "ACCESS_DELEGATION_MODE": "none"
                        if catalog.access_delegation == "none"
                        else catalog.access_delegation.replace("-", "_"),
                    },
                }
            ],
        }
        settings = {key: value for key, value in properties.items() if key not in _OWN}
        return {**output, "settings": settings} if settings else output

    def client(self, connection: CatalogConnection) -> str:
        """ATTACH, after the extensions."""
        # Imported here: the profile is written where DuckDB is not needed.
        from floe_dev.compute.duckdb import attach_sql
        from floe_dev.compute.extensions import extension_paths
        from floe_dev.compute.views import identifier

        loads = " ".join("LOAD '" + str(path).replace("'", "''") + "';" for path in extension_paths())
        return (
            "INSTALL iceberg; LOAD iceberg;\n"
            "INSTALL httpfs; LOAD httpfs;\n"
            f"-- Without a network, DuckDB {version('duckdb')} takes this instead of the two lines above:\n"
            f"-- {loads}\n"
            f"{attach_sql(connection)};\n"
            f"SHOW ALL TABLES;\n-- A table is {identifier(connection.alias)}.<namespace>.<table>."
        )


DUCKDB = DuckDBCompute()
