"""All that is in a catalog, or below one of its namespaces, dropped by one request. Floe's own; Polaris has none.

A test's lakehouse ends with it: to look for what a test has made and to drop that by name are two more round trips.
"""

from __future__ import annotations

from functools import partial

from floe_dev.catalogs.rest import locations, names, registry
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import bad_request, forbidden
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.management import entities
from floe_dev.catalogs.rest.server import Server, Warehouse, warehouse_named
from floe_dev.catalogs.rest.tables import PURGE_SWITCH

_COLUMNS = (
    ("iceberg_tables", "table_namespace"),
    ("floe_views", "view_namespace"),
    ("floe_locations", "namespace"),
    ("iceberg_namespace_properties", "namespace"),
)


def drop_contents(server: Server, call: Call) -> Reply:
    """DELETE /catalogs/{catalog}/contents: its tables, views and namespaces, for an administrator.

    Of one namespace and all below it with `namespace`; with `purgeRequested` the tables' folders go too. 404 for a
    catalog that is not there; a namespace that is not there holds nothing.
    """
    name, purge = call.path["catalog"], call.query.get("purgeRequested", "false").lower()
    if purge not in {"true", "false", ""}:
        raise bad_request("purgeRequested must be true or false")
    namespace = call.query.get("namespace")
    if namespace == "":
        raise bad_request("namespace must name one; leave it out for the whole catalog")
    key = names.key(names.namespace_from_url(namespace)) if namespace else None
    with entities.admin_writing(server, call, "DROP_CONTENTS") as tx:
        warehouse = warehouse_named(tx, name)
        if warehouse is None:
            raise entities.missing("CATALOG", name)
        folders = _folders(server, tx, warehouse, key) if purge == "true" else []
        for table, column in _COLUMNS:
            _delete(tx, table, column, name, key)
        if key is None:
            # Grants on the catalog itself stay: its roles do.
            tx.run("DELETE FROM floe_grants WHERE catalog_name = ? AND namespace <> ''", name)
        else:
            _delete(tx, "floe_grants", "namespace", name, key)
        for folder in folders:
            # One that another table has as well (a registered copy) is left to it.
            if not registry.neighbours(tx, folder):
                tx.after_commit.append(partial(server.folders.purge, folder))
    return NO_CONTENT


def _within(column: str, key: str | None) -> tuple[str, tuple[str, ...]]:
    """A condition for a namespace and all below it; none for the whole catalog."""
    if key is None:
        return "", ()
    # The character after the dot ends the range of everything below.
    return f" AND ({column} = ? OR ({column} >= ? AND {column} < ?))", (key, key + ".", key + "/")


def _delete(tx: Transaction, table: str, column: str, catalog: str, key: str | None) -> None:
    condition, values = _within(column, key)
    tx.run(f"DELETE FROM {table} WHERE catalog_name = ?{condition}", catalog, *values)  # noqa: S608


def _folders(server: Server, tx: Transaction, warehouse: Warehouse, key: str | None) -> list[str]:
    """The tables' folders inside the catalog's own; 403 where the catalog forbids to delete them."""
    if warehouse.properties.get(PURGE_SWITCH, "true").lower() == "false":
        raise forbidden(f"Unable to purge {warehouse.name}: {PURGE_SWITCH} is false for this catalog")
    server.folders.learn(warehouse.allowed, warehouse.storage)
    condition, values = _within("namespace", key)
    sql = f"SELECT location FROM floe_locations WHERE catalog_name = ? AND kind = 'table'{condition}"  # noqa: S608
    found = [str(row[0]) for row in tx.all(sql, warehouse.name, *values)]
    return [
        place for place in found if any(locations.within(place, base) and place != base for base in warehouse.allowed)
    ]
