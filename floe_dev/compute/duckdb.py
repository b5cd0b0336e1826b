"""DuckDB attached to the catalog: the engine of `floe sql`, of the readiness check and of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_dev.compute.extensions import EXTENSIONS, extension_paths
from floe_dev.compute.views import MEMORY, hydrate_views, identifier
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection

if TYPE_CHECKING:
    import duckdb


def connect(connection: CatalogConnection, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the catalog attached as `connection.alias`; the caller closes it.

    Two-part names such as `silver.orders` are found in the catalog. With `read_only` DuckDB refuses every statement
    that writes there, whatever the principal may. Raises FloeError 3002 where it cannot be attached.
    """
    import duckdb

    database = attach(fresh(), connection, read_only=read_only)
    try:
        hydrate_views(database, connection)
        database.execute(f"SET search_path = '{_search_path(database, connection.alias)}'")
    except duckdb.Error as error:
        database.close()
        raise _refused(connection, error) from error
    return database


def fresh() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with its extensions: most of the time of `connect`, and no catalog is needed for it.

    Raises FloeError 6004.
    """
    import duckdb

    database = duckdb.connect(":memory:")
    try:
        load_extensions(database)
    except duckdb.Error as error:
        database.close()
        raise FloeError(
            Code.EXTENSION_MISSING,
            "DuckDB cannot load its extensions",
            why=str(error).strip(),
            fix="pip install --force-reinstall " + " ".join(f"duckdb-extension-{name}" for name in EXTENSIONS),
        ) from error
    return database


def attach(
    database: duckdb.DuckDBPyConnection, connection: CatalogConnection, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Attach the catalog, as `connection.alias` and without its views, to what `fresh` returned.

    Closes it and raises FloeError 3002 where that cannot be.
    """
    import duckdb

    try:
        database.execute(attach_sql(connection, read_only=read_only))
    except duckdb.Error as error:
        database.close()
        raise _refused(connection, error) from error
    return database


def _refused(connection: CatalogConnection, error: Exception) -> FloeError:
    return FloeError(
        Code.CATALOG_REFUSED,
        f"DuckDB cannot attach the catalog `{connection.warehouse}`",
        why=str(error).strip(),
        fix="floe status",
    )


def refused_write(error: duckdb.Error) -> FloeError | None:
    """FLOE1310 where a statement would have written into a catalog attached with `read_only`; None for other errors."""
    from floe_dev.config.writes import not_allowed

    return not_allowed() if "attached in read-only mode" in str(error) else None


def load_extensions(database: duckdb.DuckDBPyConnection) -> None:
    """LOAD the extensions from their wheels."""
    database.execute("SET autoinstall_known_extensions = false")
    for path in extension_paths():
        database.execute(f"LOAD '{_quoted(str(path))}'")


def attach_sql(connection: CatalogConnection, *, read_only: bool = False) -> str:
    """The ATTACH statement, with this connection's values."""
    options = {"TYPE": "iceberg", **connection.attach_options()}
    items = [f"{name} '{_quoted(value)}'" for name, value in options.items()]
    rendered = ",\n    ".join([*items, "READ_ONLY"] if read_only else items)
    return f"ATTACH '{_quoted(connection.warehouse)}' AS {identifier(connection.alias)} (\n    {rendered}\n)"


def _search_path(database: duckdb.DuckDBPyConnection, alias: str) -> str:
    """Makes `silver.orders` find the catalog's table and `silver.stg_orders` the view, which lives in memory.

    For a name with a schema DuckDB looks only into those databases whose schema of that name is on the path, so a
    namespace with views must be on it twice. The catalog comes first: that is where tables are created.
    """
    # DuckDB lists a namespace `main` of an Iceberg catalog but cannot look into it.
    in_catalog = [name for name in _schemas(database, alias) if name != "main"]
    with_views = [name for name in _schemas(database, MEMORY) if name in in_catalog]
    path = [(alias, name) for name in (*with_views, *in_catalog[:1])]
    path += [(MEMORY, name) for name in (*with_views, "main")]
    return ",".join(f"{identifier(catalog)}.{identifier(name)}" for catalog, name in path).replace("'", "''")


def _schemas(database: duckdb.DuckDBPyConnection, catalog: str) -> list[str]:
    # No parameter: for the first one of a process DuckDB imports pandas, which takes a third of a second.
    rows = database.execute(
        "SELECT database_name, schema_name FROM duckdb_schemas() WHERE NOT internal ORDER BY schema_name"
    ).fetchall()
    return [name for database_name, name in rows if database_name == catalog]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
