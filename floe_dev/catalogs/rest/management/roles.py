"""Principal roles and catalog roles."""

from __future__ import annotations

import json
from typing import Any

from floe_dev.catalogs.rest.access import CATALOG_ADMIN, SERVICE_ADMIN
from floe_dev.catalogs.rest.database import Row, Transaction
from floe_dev.catalogs.rest.errors import bad_request, not_found
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.management import entities
from floe_dev.catalogs.rest.namespaces import string_map
from floe_dev.catalogs.rest.server import Server, now_ms

COLUMNS = "name, properties, created, updated, version"


def show_principal_role(row: Row) -> dict[str, Any]:
    """A principal role as the API shows it."""
    return {"name": row[0], "federated": False, "properties": json.loads(row[1]), **entities.times(*row[2:])}


def show_catalog_role(row: Row) -> dict[str, Any]:
    """A catalog role as the API shows it."""
    return {"name": row[0], "properties": json.loads(row[1]), **entities.times(*row[2:])}


def get_principal_role_row(tx: Transaction, name: str) -> Row:
    """The row of a principal role; 404."""
    row = tx.one(f"SELECT {COLUMNS} FROM floe_principal_roles WHERE name = ?", name)  # noqa: S608
    if row is None:
        raise entities.missing("PRINCIPAL_ROLE", name)
    return row


def get_catalog_role_row(tx: Transaction, catalog: str, name: str) -> Row:
    """The row of a catalog role; 404 for the catalog or the role."""
    demand_catalog(tx, catalog)
    row = tx.one(f"SELECT {COLUMNS} FROM floe_catalog_roles WHERE catalog_name = ? AND name = ?", catalog, name)  # noqa: S608
    if row is None:
        raise not_found(f"CatalogRole {name} does not exist in {catalog}")
    return row


def demand_catalog(tx: Transaction, catalog: str) -> None:
    """404 if there is no such catalog."""
    if not tx.one("SELECT 1 FROM floe_catalogs WHERE name = ?", catalog):
        raise entities.missing("CATALOG", catalog)


def list_principal_roles(server: Server, call: Call) -> Reply:
    """GET /principal-roles."""
    with entities.admin_reading(server, call, "LIST_PRINCIPAL_ROLES") as tx:
        rows = tx.all(f"SELECT {COLUMNS} FROM floe_principal_roles ORDER BY name")  # noqa: S608
    return Reply.json({"roles": [show_principal_role(row) for row in rows]})


def create_principal_role(server: Server, call: Call) -> Reply:
    """POST /principal-roles."""
    body = call.json()
    with entities.admin_writing(server, call, "CREATE_PRINCIPAL_ROLE") as tx:
        name, properties = entities.named(entities.part(body, "principalRole"), "principal role")
        if tx.one("SELECT 1 FROM floe_principal_roles WHERE name = ?", name):
            raise entities.taken("PrincipalRole", name)
        now = now_ms()
        tx.run("INSERT INTO floe_principal_roles VALUES (?, ?, ?, ?, 1)", name, entities.dump(properties), now, now)
        row = get_principal_role_row(tx, name)
    return Reply.json(show_principal_role(row), 201)


def get_principal_role(server: Server, call: Call) -> Reply:
    """GET /principal-roles/{role}."""
    with entities.admin_reading(server, call, "GET_PRINCIPAL_ROLE") as tx:
        return Reply.json(show_principal_role(get_principal_role_row(tx, call.path["role"])))


def update_principal_role(server: Server, call: Call) -> Reply:
    """PUT /principal-roles/{role}."""
    body = call.json()
    name = call.path["role"]
    with entities.admin_writing(server, call, "UPDATE_PRINCIPAL_ROLE") as tx:
        entities.demand_version(body, get_principal_role_row(tx, name)[-1], f"principal role {name}")
        tx.run(
            "UPDATE floe_principal_roles SET properties = ?, updated = ?, version = version + 1 WHERE name = ?",
            entities.dump(string_map(body.get("properties"), "properties")),
            now_ms(),
            name,
        )
        row = get_principal_role_row(tx, name)
    return Reply.json(show_principal_role(row))


def delete_principal_role(server: Server, call: Call) -> Reply:
    """DELETE /principal-roles/{role}."""
    name = call.path["role"]
    with entities.admin_writing(server, call, "DELETE_PRINCIPAL_ROLE") as tx:
        get_principal_role_row(tx, name)
        if name == SERVICE_ADMIN:
            raise bad_request(f"{SERVICE_ADMIN} cannot be deleted")
        tx.run("DELETE FROM floe_principal_roles WHERE name = ?", name)
    return NO_CONTENT


def list_catalog_roles(server: Server, call: Call) -> Reply:
    """GET /catalogs/{catalog}/catalog-roles."""
    catalog = call.path["catalog"]
    with server.database.read() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "LIST_CATALOG_ROLES")
        demand_catalog(tx, catalog)
        rows = tx.all(f"SELECT {COLUMNS} FROM floe_catalog_roles WHERE catalog_name = ? ORDER BY name", catalog)  # noqa: S608
    return Reply.json({"roles": [show_catalog_role(row) for row in rows]})


def create_catalog_role(server: Server, call: Call) -> Reply:
    """POST /catalogs/{catalog}/catalog-roles."""
    body = call.json()
    catalog = call.path["catalog"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "CREATE_CATALOG_ROLE")
        demand_catalog(tx, catalog)
        name, properties = entities.named(entities.part(body, "catalogRole"), "catalog role")
        if tx.one("SELECT 1 FROM floe_catalog_roles WHERE catalog_name = ? AND name = ?", catalog, name):
            raise entities.taken("CatalogRole", name, f" in {catalog}")
        now = now_ms()
        values = (catalog, name, entities.dump(properties), now, now)
        tx.run("INSERT INTO floe_catalog_roles VALUES (?, ?, ?, ?, ?, 1)", *values)
        row = get_catalog_role_row(tx, catalog, name)
    return Reply.json(show_catalog_role(row), 201)


def get_catalog_role(server: Server, call: Call) -> Reply:
    """GET /catalogs/{catalog}/catalog-roles/{role}."""
    catalog = call.path["catalog"]
    with server.database.read() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "GET_CATALOG_ROLE")
        return Reply.json(show_catalog_role(get_catalog_role_row(tx, catalog, call.path["role"])))


def update_catalog_role(server: Server, call: Call) -> Reply:
    """PUT /catalogs/{catalog}/catalog-roles/{role}."""
    body = call.json()
    catalog, name = call.path["catalog"], call.path["role"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "UPDATE_CATALOG_ROLE")
        entities.demand_version(body, get_catalog_role_row(tx, catalog, name)[-1], f"catalog role {name}")
        tx.run(
            "UPDATE floe_catalog_roles SET properties = ?, updated = ?, version = version + 1 "
            "WHERE catalog_name = ? AND name = ?",
            entities.dump(string_map(body.get("properties"), "properties")),
            now_ms(),
            catalog,
            name,
        )
        row = get_catalog_role_row(tx, catalog, name)
    return Reply.json(show_catalog_role(row))


def delete_catalog_role(server: Server, call: Call) -> Reply:
    """DELETE /catalogs/{catalog}/catalog-roles/{role}."""
    catalog, name = call.path["catalog"], call.path["role"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "DELETE_CATALOG_ROLE")
        get_catalog_role_row(tx, catalog, name)
        if name == CATALOG_ADMIN:
            raise bad_request(f"{CATALOG_ADMIN} cannot be deleted")
        tx.run("DELETE FROM floe_catalog_roles WHERE catalog_name = ? AND name = ?", catalog, name)
    return NO_CONTENT
