"""What `dbt docs generate` asks about tables, from the catalog's metadata.

DuckDB's own `duckdb_columns()` knows the columns of an attached Iceberg table only after it was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from floe_dev.catalogs.client import CatalogClient
from floe_dev.model.tables import Namespace, TableInfo

_NAMES = (
    "table_database",
    "table_schema",
    "table_name",
    "table_type",
    "table_comment",
    "column_name",
    "column_index",
    "column_type",
    "column_comment",
    "table_owner",
)


def documentation_query(client: CatalogClient, database: str, namespaces: Iterable[Namespace], kind: str) -> str:
    """A SELECT of constants in the shape dbt's catalog wants; no rows where there are no tables."""
    rows = [
        row
        for namespace in namespaces
        for name in client.names(namespace, kind)
        for row in _rows(database, client.table(".".join((*namespace, name))))
    ]
    if not rows:
        return f"SELECT {', '.join(f'NULL AS {name}' for name in _NAMES)} WHERE false"
    values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
    return f"SELECT * FROM (VALUES {values}) AS documented({', '.join(_NAMES)})"


def _rows(database: str, table: TableInfo) -> Iterator[tuple[Any, ...]]:
    kind = "VIEW" if table.kind == "view" else "BASE TABLE"
    comment = (table.metadata.get("properties") or {}).get("comment")
    schema = ".".join(table.namespace)
    for index, field in enumerate(table.schema().get("fields") or (), 1):
        shown = field["type"] if isinstance(field["type"], str) else field["type"]["type"]
        yield database, schema, table.name, kind, comment, field["name"], index, shown, field.get("doc"), None


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
