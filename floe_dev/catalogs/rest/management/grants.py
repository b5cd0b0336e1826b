"""Grants of privileges to catalog roles: on the catalog, a namespace, a table or a view."""

from __future__ import annotations

from typing import Any

from floe_dev.catalogs.rest import names, namespaces, registry
from floe_dev.catalogs.rest.access import Grant
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import bad_request, not_found
from floe_dev.catalogs.rest.http import CREATED, Call, Reply
from floe_dev.catalogs.rest.management import entities
from floe_dev.catalogs.rest.management.roles import get_catalog_role_row
from floe_dev.catalogs.rest.privileges import GRANTABLE
from floe_dev.catalogs.rest.server import Server

_NAME_FIELD = {"table": "tableName", "view": "viewName"}


def list_grants(server: Server, call: Call) -> Reply:
    """GET …/catalog-roles/{role}/grants."""
    catalog, role = call.path["catalog"], call.path["role"]
    with server.database.read() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, "LIST_GRANTS_FOR_CATALOG_ROLE")
        get_catalog_role_row(tx, catalog, role)
        rows = tx.all(
            "SELECT type, namespace, name, privilege FROM floe_grants WHERE catalog_name = ? AND catalog_role = ?",
            catalog,
            role,
        )
    return Reply.json({"grants": [show(Grant(*row)) for row in rows]})


def show(grant: Grant) -> dict[str, Any]:
    """A grant as the API shows it."""
    shown: dict[str, Any] = {"privilege": grant.privilege, "type": grant.type}
    if grant.type != "catalog":
        shown["namespace"] = list(names.levels(grant.namespace))
    if grant.type in _NAME_FIELD:
        shown[_NAME_FIELD[grant.type]] = grant.name
    return shown


def add_grant(server: Server, call: Call) -> Reply:
    """PUT …/catalog-roles/{role}/grants."""
    return _change(
        server, call, "ADD_GRANT", "INSERT INTO floe_grants VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )


def revoke_grant(server: Server, call: Call) -> Reply:
    """POST …/catalog-roles/{role}/grants: revoke."""
    sql = (
        "DELETE FROM floe_grants WHERE catalog_name = ? AND catalog_role = ? AND type = ? AND namespace = ? "
        "AND name = ? AND privilege = ?"
    )
    return _change(server, call, "REVOKE_GRANT", sql)


def _change(server: Server, call: Call, operation: str, sql: str) -> Reply:
    body = call.json()
    catalog, role = call.path["catalog"], call.path["role"]
    with server.database.write() as tx:
        entities.demand_catalog_access(server, call, tx, catalog, operation)
        get_catalog_role_row(tx, catalog, role)
        grant = _grant(tx, catalog, entities.part(body, "grant"))
        changed = tx.run(sql, catalog, role, grant.type, grant.namespace, grant.name, grant.privilege)
        if operation == "REVOKE_GRANT" and not changed:
            raise not_found(f"{role} has no such grant")
    return CREATED


def _grant(tx: Transaction, catalog: str, body: dict[str, Any]) -> Grant:
    kind, privilege = body.get("type"), body.get("privilege")
    if not isinstance(kind, str) or kind not in GRANTABLE:
        raise bad_request(f"type must be one of {', '.join(GRANTABLE)}")
    if not isinstance(privilege, str) or privilege not in GRANTABLE[kind]:
        raise bad_request(f"{privilege} cannot be granted on a {kind}")
    if kind == "catalog":
        return Grant(kind, "", "", privilege)
    namespace = names.check_namespace(body.get("namespace"))
    namespaces.demand_exists(tx, catalog, namespace)
    if kind == "namespace":
        return Grant(kind, names.key(namespace), "", privilege)
    name = names.check_name(body.get(_NAME_FIELD[kind]), _NAME_FIELD[kind])
    registry.get(tx, registry.Identifier(catalog, namespace, name), "table" if kind == "table" else "view")
    return Grant(kind, names.key(namespace), name, privilege)
