"""dbt's views: kept in the catalog as Iceberg views (dialect duckdb), made again in every DuckDB that is connected.

DuckDB cannot create a view inside an attached Iceberg catalog. So a view lives in the in-memory database of each
connection, under its namespace, and its definition in the catalog, where other processes find it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from floe_dev.catalogs.client import CatalogClient, escape_namespace
from floe_dev.catalogs.transport import NotFoundError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.tables import TableInfo

if TYPE_CHECKING:
    import duckdb

DIALECT = "duckdb"
#: The in-memory database's name in DuckDB.
MEMORY = "memory"
_SCHEMA_LOCK = threading.Lock()


def hydrate_views(database: duckdb.DuckDBPyConnection, connection: CatalogConnection) -> list[str]:
    """Make every catalog view with a DuckDB definition in memory; returns those that cannot be made, with the reason.

    Views may build on each other, so those that fail are tried again as long as any succeeds.
    """
    import duckdb

    with CatalogClient(connection) as client:
        waiting = [(view, sql) for view in client.views() if (sql := duckdb_sql(view)) is not None]
    reasons: dict[str, str] = {}
    while waiting:
        failed = []
        for view, sql in waiting:
            try:
                create_view(database, view.namespace[0], view.name, sql)
            except duckdb.Error as error:
                reasons[view.identifier] = str(error)
                failed.append((view, sql))
        if len(failed) == len(waiting):
            return [f"{view.identifier}: {reasons[view.identifier]}" for view, _ in failed]
        waiting = failed
    return []


def duckdb_sql(view: TableInfo) -> str | None:
    """The view's DuckDB definition; None where it has only other dialects'."""
    current = view.metadata.get("current-version-id")
    for version in view.metadata.get("versions") or ():
        if version.get("version-id") == current:
            for representation in version.get("representations") or ():
                if representation.get("dialect") == DIALECT:
                    return str(representation["sql"])
    return None


def create_view(database: duckdb.DuckDBPyConnection, schema: str, name: str, sql: str) -> None:
    """CREATE OR REPLACE VIEW in the in-memory database; raises duckdb.Error."""
    create_memory_schema(database, schema)
    database.execute(f"CREATE OR REPLACE VIEW {MEMORY}.{identifier(schema)}.{identifier(name)} AS {sql}")


def create_memory_schema(database: Any, schema: str) -> None:
    """CREATE SCHEMA IF NOT EXISTS in the in-memory database; raises duckdb.Error.

    Two threads of one dbt at the same moment get "write-write conflict on create" from DuckDB in spite of the IF NOT
    EXISTS: they take turns.
    """
    with _SCHEMA_LOCK:
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {MEMORY}.{identifier(schema)}")


def store_view(
    client: CatalogClient,
    namespace: tuple[str, ...],
    name: str,
    sql: str,
    schema: dict[str, Any],
    summary: dict[str, str],
) -> None:
    """Create or replace the Iceberg view `namespace.name` in the catalog; raises FloeError 3002."""
    path = f"namespaces/{escape_namespace(namespace)}/views"
    version: dict[str, Any] = {
        "version-id": 1,
        "timestamp-ms": int(time.time() * 1000),
        "schema-id": 0,
        "summary": {"engine-name": "floe_dev", **summary},
        "default-namespace": list(namespace),
        "representations": [{"type": "sql", "sql": sql, "dialect": DIALECT}],
    }
    try:
        known = client.send("GET", f"{path}/{quote(name, safe='')}")["metadata"]
    except NotFoundError:
        new_view: dict[str, Any] = {"name": name, "schema": schema, "view-version": version, "properties": {}}
        client.send("POST", path, new_view)
        return
    version["version-id"] = max(v["version-id"] for v in known["versions"]) + 1
    version["schema-id"] = -1
    updates: list[dict[str, Any]] = [
        {"action": "add-schema", "schema": schema},
        {"action": "add-view-version", "view-version": version},
        {"action": "set-current-view-version", "view-version-id": -1},
    ]
    requirements = [{"type": "assert-view-uuid", "uuid": known["view-uuid"]}]
    body: dict[str, Any] = {
        "identifier": {"namespace": list(namespace), "name": name},
        "requirements": requirements,
        "updates": updates,
    }
    client.send("POST", f"{path}/{quote(name, safe='')}", body)


def drop_view(client: CatalogClient, namespace: tuple[str, ...], name: str) -> None:
    """Drop the view from the catalog; nothing if it is not there."""
    try:
        client.send("DELETE", f"namespaces/{escape_namespace(namespace)}/views/{quote(name, safe='')}")
    except NotFoundError:
        return


def identifier(name: str) -> str:
    """`name` quoted for DuckDB."""
    return '"' + name.replace('"', '""') + '"'
