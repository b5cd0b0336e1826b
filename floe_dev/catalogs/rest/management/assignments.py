"""Which principal holds which principal role, and which principal role carries which catalog role."""

from __future__ import annotations

from floe_dev.catalogs.rest.errors import not_found
from floe_dev.catalogs.rest.http import CREATED, NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.management import entities, principals, roles
from floe_dev.catalogs.rest.server import Server


def list_assigned(server: Server, call: Call) -> Reply:
    """GET /principals/{principal}/principal-roles."""
    with entities.admin_reading(server, call, "LIST_PRINCIPAL_ROLES_ASSIGNED") as tx:
        principals.get_row(tx, call.path["principal"])
        rows = tx.all(
            "SELECT r.name, r.properties, r.created, r.updated, r.version FROM floe_principal_roles r "
            "JOIN floe_principal_assignments a ON a.principal_role = r.name "
            "JOIN floe_principals p ON p.id = a.principal_id WHERE p.name = ? ORDER BY r.name",
            call.path["principal"],
        )
    return Reply.json({"roles": [roles.show_principal_role(row) for row in rows]})


def assign(server: Server, call: Call) -> Reply:
    """PUT /principals/{principal}/principal-roles."""
    body = call.json()
    name = call.path["principal"]
    with entities.admin_writing(server, call, "ASSIGN_PRINCIPAL_ROLE") as tx:
        principals.get_row(tx, name)
        role, _ = entities.named(entities.part(body, "principalRole"), "principal role")
        if not tx.one("SELECT 1 FROM floe_principal_roles WHERE name = ?", role):
            raise not_found(f"Entity {role} not found when trying to assign {role} to {name}")
        tx.run(
            "INSERT INTO floe_principal_assignments SELECT id, ? FROM floe_principals WHERE name = ? "
            "ON CONFLICT DO NOTHING",
            role,
            name,
        )
    return CREATED


def unassign(server: Server, call: Call) -> Reply:
    """DELETE /principals/{principal}/principal-roles/{role}."""
    name, role = call.path["principal"], call.path["role"]
    with entities.admin_writing(server, call, "REVOKE_PRINCIPAL_ROLE") as tx:
        principals.get_row(tx, name)
        gone = tx.run(
            "DELETE FROM floe_principal_assignments WHERE principal_role = ? "
            "AND principal_id = (SELECT id FROM floe_principals WHERE name = ?)",
            role,
            name,
        )
        if not gone:
            raise not_found(f"Principal {name} does not hold the role {role}")
    return NO_CONTENT


def list_holders(server: Server, call: Call) -> Reply:
    """GET /principal-roles/{role}/principals."""
    with entities.admin_reading(server, call, "LIST_ASSIGNEE_PRINCIPALS_FOR_PRINCIPAL_ROLE") as tx:
        roles.get_principal_role_row(tx, call.path["role"])
        rows = tx.all(
            "SELECT p.name, p.client_id, p.properties, p.created, p.updated, p.version FROM floe_principals p "
            "JOIN floe_principal_assignments a ON a.principal_id = p.id WHERE a.principal_role = ? ORDER BY p.name",
            call.path["role"],
        )
    return Reply.json({"principals": [principals.show(row) for row in rows]})


def list_carriers(server: Server, call: Call) -> Reply:
    """GET /catalogs/{catalog}/catalog-roles/{role}/principal-roles."""
    catalog, name = call.path["catalog"], call.path["role"]
    with server.database.read() as tx:
        operation = "LIST_ASSIGNEE_PRINCIPAL_ROLES_FOR_CATALOG_ROLE"
        entities.demand_catalog_access(server, call, tx, catalog, operation)
        roles.get_catalog_role_row(tx, catalog, name)
        rows = tx.all(
            "SELECT r.name, r.properties, r.created, r.updated, r.version FROM floe_principal_roles r "
            "JOIN floe_role_assignments a ON a.principal_role = r.name "
            "WHERE a.catalog_name = ? AND a.catalog_role = ? ORDER BY r.name",
            catalog,
            name,
        )
    return Reply.json({"roles": [roles.show_principal_role(row) for row in rows]})


def list_carried(server: Server, call: Call) -> Reply:
    """GET /principal-roles/{role}/catalog-roles/{catalog}."""
    catalog, name = call.path["catalog"], call.path["role"]
    with server.database.read() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "LIST_CATALOG_ROLES_FOR_PRINCIPAL_ROLE")
        roles.get_principal_role_row(tx, name)
        roles.demand_catalog(tx, catalog)
        rows = tx.all(
            "SELECT r.name, r.properties, r.created, r.updated, r.version FROM floe_catalog_roles r "
            "JOIN floe_role_assignments a ON a.catalog_name = r.catalog_name AND a.catalog_role = r.name "
            "WHERE a.catalog_name = ? AND a.principal_role = ? ORDER BY r.name",
            catalog,
            name,
        )
    return Reply.json({"roles": [roles.show_catalog_role(row) for row in rows]})


def assign_catalog_role(server: Server, call: Call) -> Reply:
    """PUT /principal-roles/{role}/catalog-roles/{catalog}."""
    body = call.json()
    catalog, name = call.path["catalog"], call.path["role"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "ASSIGN_CATALOG_ROLE_TO_PRINCIPAL_ROLE")
        roles.get_principal_role_row(tx, name)
        role, _ = entities.named(entities.part(body, "catalogRole"), "catalog role")
        roles.get_catalog_role_row(tx, catalog, role)
        tx.run("INSERT INTO floe_role_assignments VALUES (?, ?, ?) ON CONFLICT DO NOTHING", name, catalog, role)
    return CREATED


def unassign_catalog_role(server: Server, call: Call) -> Reply:
    """DELETE /principal-roles/{role}/catalog-roles/{catalog}/{catalog_role}."""
    catalog, name, role = call.path["catalog"], call.path["role"], call.path["catalog_role"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "REVOKE_CATALOG_ROLE_FROM_PRINCIPAL_ROLE")
        roles.get_principal_role_row(tx, name)
        roles.get_catalog_role_row(tx, catalog, role)
        where = "WHERE principal_role = ? AND catalog_name = ? AND catalog_role = ?"
        if not tx.run(f"DELETE FROM floe_role_assignments {where}", name, catalog, role):  # noqa: S608
            raise not_found(f"Principal role {name} does not carry {role} of {catalog}")
    return NO_CONTENT
