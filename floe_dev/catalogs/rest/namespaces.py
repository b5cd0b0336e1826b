"""Namespace endpoints: list, create, load, exists, drop, properties."""

from __future__ import annotations

from typing import Any

from floe_dev.catalogs.rest import locations, names
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import ApiError, already_exists, bad_request, no_namespace, unprocessable
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.paging import page
from floe_dev.catalogs.rest.server import Server, Warehouse

#: SqlCatalog's own marker of a namespace without properties; not shown to clients.
EXISTS = "exists"


def properties_of(tx: Transaction, catalog: str, namespace: names.Namespace) -> dict[str, str]:
    """The properties of a namespace; 404 if it does not exist."""
    rows = tx.all(
        "SELECT property_key, property_value FROM iceberg_namespace_properties "
        "WHERE catalog_name = ? AND namespace = ?",
        catalog,
        names.key(namespace),
    )
    if not rows:
        raise no_namespace(names.dotted(namespace))
    return {key: value for key, value in rows if key != EXISTS}


def exists(tx: Transaction, catalog: str, namespace: names.Namespace) -> bool:
    """Whether a namespace is there."""
    sql = "SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ? LIMIT 1"
    return tx.one(sql, catalog, names.key(namespace)) is not None


def demand_exists(tx: Transaction, catalog: str, namespace: names.Namespace) -> None:
    """404 if the namespace is not there."""
    if not exists(tx, catalog, namespace):
        raise no_namespace(names.dotted(namespace))


def location_of(tx: Transaction, warehouse: Warehouse, namespace: names.Namespace) -> str:
    """The folder of a namespace: its `location` property, else below its parent's or the warehouse."""
    stored = tx.one(
        "SELECT property_value FROM iceberg_namespace_properties "
        "WHERE catalog_name = ? AND namespace = ? AND property_key = 'location'",
        warehouse.name,
        names.key(namespace),
    )
    if stored is not None:
        return str(stored[0]).rstrip("/")
    parent = location_of(tx, warehouse, namespace[:-1]) if len(namespace) > 1 else warehouse.base
    return f"{parent}/{locations.folder_name(namespace[-1])}"


def string_map(value: Any, what: str) -> dict[str, str]:
    """A JSON object whose values are strings; null counts as empty, 400 for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise bad_request(f"{what} must be an object of strings")
    if any(not key for key in value):
        raise bad_request(f"{what} must not have an empty key")
    return value


def list_namespaces(server: Server, call: Call) -> Reply:
    """GET /namespaces, of the root or of `parent`."""
    with server.reading(call) as request:
        text = call.query.get("parent", "")
        parent = names.namespace_from_url(text) if text else ()
        request.access.demand("LIST_NAMESPACES", "NAMESPACE_LIST", namespace=parent or None)
        if parent:
            demand_exists(request.tx, request.warehouse.name, parent)
        prefix = names.key(parent) + "." if parent else ""
        rows = request.tx.all(
            "SELECT DISTINCT namespace FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace >= ? "
            "AND namespace < ? ORDER BY namespace",
            request.warehouse.name,
            prefix,
            # The character after the dot ends the range of everything below the parent.
            prefix[:-1] + "/" if prefix else "\U0010ffff",
        )
        found = [(key, list(names.levels(key))) for (key,) in rows if "." not in key[len(prefix) :]]
    chosen, token = page(found, call.query, server.settings.limits.page_size)
    return Reply.json({"namespaces": chosen, "next-page-token": token})


def create_namespace(server: Server, call: Call) -> Reply:
    """POST /namespaces."""
    body = call.json()
    with server.writing(call) as request:
        namespace = names.check_namespace(body.get("namespace"))
        properties = string_map(body.get("properties"), "properties")
        tx, catalog = request.tx, request.warehouse.name
        if len(namespace) > 1:
            demand_exists(tx, catalog, namespace[:-1])
        request.access.demand("CREATE_NAMESPACE", "NAMESPACE_CREATE", namespace=namespace[:-1] or None)
        if exists(tx, catalog, namespace):
            raise already_exists(f"Cannot create namespace {names.dotted(namespace)}. Namespace already exists")
        if "location" in properties:
            location = locations.check_allowed(
                properties["location"], request.warehouse.allowed, names.dotted(namespace)
            )
        else:
            location = location_of(tx, request.warehouse, namespace)
        properties = {**properties, "location": location + "/"}
        for key, value in {EXISTS: "true", **properties}.items():
            _put(tx, catalog, namespace, key, value)
    return Reply.json({"namespace": list(namespace), "properties": properties})


def load_namespace(server: Server, call: Call) -> Reply:
    """GET /namespaces/{namespace}."""
    with server.reading(call) as request:
        properties = properties_of(request.tx, request.warehouse.name, request.namespace)
        request.access.demand("LOAD_NAMESPACE_METADATA", "NAMESPACE_READ_PROPERTIES", namespace=request.namespace)
    return Reply.json({"namespace": list(request.namespace), "properties": properties})


def namespace_exists(server: Server, call: Call) -> Reply:
    """HEAD /namespaces/{namespace}."""
    with server.reading(call) as request:
        demand_exists(request.tx, request.warehouse.name, request.namespace)
        request.access.demand("NAMESPACE_EXISTS", "NAMESPACE_LIST", namespace=request.namespace)
    return NO_CONTENT


def drop_namespace(server: Server, call: Call) -> Reply:
    """DELETE /namespaces/{namespace}; only when nothing is in it."""
    with server.writing(call) as request:
        tx, catalog, namespace = request.tx, request.warehouse.name, request.namespace
        demand_exists(tx, catalog, namespace)
        request.access.demand("DROP_NAMESPACE", "NAMESPACE_DROP", namespace=namespace)
        key = names.key(namespace)
        filled = (
            tx.one("SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? LIMIT 1", catalog, key)
            or tx.one("SELECT 1 FROM floe_views WHERE catalog_name = ? AND view_namespace = ? LIMIT 1", catalog, key)
            or tx.one(
                "SELECT 1 FROM iceberg_namespace_properties "
                "WHERE catalog_name = ? AND namespace >= ? AND namespace < ?",
                catalog,
                key + ".",
                key + "/",
            )
        )
        if filled:
            raise ApiError(409, "NamespaceNotEmptyException", f"Namespace {names.dotted(namespace)} is not empty")
        tx.run("DELETE FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?", catalog, key)
        tx.run("DELETE FROM floe_grants WHERE catalog_name = ? AND namespace = ?", catalog, key)
    return NO_CONTENT


def update_properties(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/properties."""
    body = call.json()
    with server.writing(call) as request:
        tx, catalog, namespace = request.tx, request.warehouse.name, request.namespace
        updates = string_map(body.get("updates"), "updates")
        removals = body.get("removals") or []
        if not isinstance(removals, list) or not all(isinstance(key, str) for key in removals):
            raise bad_request("removals must be a list of strings")
        current = properties_of(tx, catalog, namespace)
        request.access.demand("UPDATE_NAMESPACE_PROPERTIES", "NAMESPACE_WRITE_PROPERTIES", namespace=namespace)
        both = sorted(set(removals) & set(updates))
        if both:
            raise unprocessable(
                f"Invalid namespace update, cannot simultaneously set and remove keys: [{', '.join(both)}]"
            )
        if "location" in updates:
            checked = locations.check_allowed(updates["location"], request.warehouse.allowed, names.dotted(namespace))
            updates = {**updates, "location": checked + "/"}
        for key, value in updates.items():
            _put(tx, catalog, namespace, key, value)
        removed = [key for key in dict.fromkeys(removals) if key in current]
        for key in removed:
            tx.run(
                "DELETE FROM iceberg_namespace_properties "
                "WHERE catalog_name = ? AND namespace = ? AND property_key = ?",
                catalog,
                names.key(namespace),
                key,
            )
        missing = [key for key in dict.fromkeys(removals) if key not in current]
    return Reply.json({"updated": list(updates), "removed": removed, "missing": missing})


def _put(tx: Transaction, catalog: str, namespace: names.Namespace, key: str, value: str) -> None:
    tx.run(
        "INSERT INTO iceberg_namespace_properties VALUES (?, ?, ?, ?) "
        "ON CONFLICT (catalog_name, namespace, property_key) DO UPDATE SET property_value = excluded.property_value",
        catalog,
        names.key(namespace),
        key,
        value,
    )
