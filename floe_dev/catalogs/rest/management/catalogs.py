"""Catalogs (warehouses): create, list, get, update, delete."""

from __future__ import annotations

import json
from typing import Any

from floe_dev.catalogs.rest import locations
from floe_dev.catalogs.rest.access import CATALOG_ADMIN, SERVICE_ADMIN
from floe_dev.catalogs.rest.database import Row, Transaction
from floe_dev.catalogs.rest.errors import ApiError, bad_request, invalid
from floe_dev.catalogs.rest.folders import is_object
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.management import entities
from floe_dev.catalogs.rest.namespaces import string_map
from floe_dev.catalogs.rest.server import Server, now_ms

BASE = "default-base-location"
#: Of Polaris's AwsStorageConfigInfo, what is kept and shown again; roles of AWS's own IAM mean nothing here.
_URLS = ("endpoint", "endpointInternal", "stsEndpoint")
_S3_TEXTS = (*_URLS, "region", "roleArn", "externalId", "userArn")
_S3_SWITCHES = ("pathStyleAccess", "stsUnavailable", "kmsUnavailable")
COLUMNS = "name, type, properties, storage, created, updated, version"


def show(row: Row) -> dict[str, Any]:
    """A catalog as the API shows it."""
    name, kind, properties, storage, *rest = row
    return {
        "type": kind,
        "name": name,
        "properties": json.loads(properties),
        **entities.times(*rest),
        "storageConfigInfo": json.loads(storage),
    }


def list_catalogs(server: Server, call: Call) -> Reply:
    """GET /catalogs."""
    with entities.admin_reading(server, call, "LIST_CATALOGS") as tx:
        rows = tx.all(f"SELECT {COLUMNS} FROM floe_catalogs ORDER BY name")  # noqa: S608
    return Reply.json({"catalogs": [show(row) for row in rows]})


def create_catalog(server: Server, call: Call) -> Reply:
    """POST /catalogs; its folder is made, and its `catalog_admin` role given to the administrators."""
    body = call.json()
    with entities.admin_writing(server, call, "CREATE_CATALOG") as tx:
        catalog = entities.part(body, "catalog")
        name, properties = entities.named(catalog, "catalog")
        kind = catalog.get("type", "INTERNAL")
        if kind != "INTERNAL":
            raise bad_request("This server has INTERNAL catalogs only")
        if tx.one("SELECT 1 FROM floe_catalogs WHERE name = ?", name):
            raise entities.taken("Catalog", name)
        base = locations.normalize(properties.get(BASE) or _default_base(server, name))
        storage = _storage(catalog.get("storageConfigInfo"), base)
        _demand_inside(server, [base, *storage["allowedLocations"]])
        _demand_no_overlap(tx, name, [base, *storage["allowedLocations"]])
        server.folders.learn(storage["allowedLocations"], storage)
        server.folders.make_base(base)
        now = now_ms()
        tx.run(
            "INSERT INTO floe_catalogs VALUES (?, ?, ?, ?, ?, ?, 1)",
            name,
            kind,
            entities.dump({**properties, BASE: base}),
            entities.dump(storage),
            now,
            now,
        )
        tx.run("INSERT INTO floe_catalog_roles VALUES (?, ?, '{}', ?, ?, 1)", name, CATALOG_ADMIN, now, now)
        for privilege in ("CATALOG_MANAGE_ACCESS", "CATALOG_MANAGE_METADATA"):
            tx.run("INSERT INTO floe_grants VALUES (?, ?, 'catalog', '', '', ?)", name, CATALOG_ADMIN, privilege)
        tx.run("INSERT INTO floe_role_assignments VALUES (?, ?, ?)", SERVICE_ADMIN, name, CATALOG_ADMIN)
        row = _get(tx, name)
    return Reply.json(show(row), 201)


def _storage(value: Any, base: str) -> dict[str, Any]:
    """A storage configuration, checked: files or S3, the base among the allowed locations."""
    if not isinstance(value, dict):
        raise bad_request("storageConfigInfo must be an object")
    kind = value.get("storageType")
    if kind not in ("FILE", "S3"):  # not a set: the value may be anything, also what has no hash
        raise invalid(f"Unsupported storage type: {kind}; this server keeps tables in files or in S3")
    allowed = value.get("allowedLocations") or []
    if not isinstance(allowed, list):
        raise bad_request("allowedLocations must be a list")
    normal = [locations.normalize(location) for location in allowed] or [base]
    if not any(locations.within(base, location) for location in normal):
        raise invalid(f"{BASE} {base} is not in the allowed locations")
    if any(is_object(location) != (kind == "S3") for location in [base, *normal]):
        raise invalid(f"The locations of a catalog with storage type {kind} must all be of that kind")
    checked: dict[str, Any] = {"storageType": kind, "allowedLocations": normal}
    if kind == "S3":
        checked |= {key: _text(value, key) for key in _S3_TEXTS if value.get(key) is not None}
        checked |= {key: _switch(value, key) for key in _S3_SWITCHES if value.get(key) is not None}
    return checked


def _text(storage: dict[str, Any], key: str) -> str:
    text = storage[key]
    if not isinstance(text, str) or not text:
        raise bad_request(f"storageConfigInfo.{key} must be a text")
    if key in _URLS and not text.startswith(("http://", "https://")):
        raise bad_request(f"storageConfigInfo.{key} must be a URL, http:// or https://")
    return text.rstrip("/") if key in _URLS else text


def _switch(storage: dict[str, Any], key: str) -> bool:
    if not isinstance(storage[key], bool):
        raise bad_request(f"storageConfigInfo.{key} must be true or false")
    return bool(storage[key])


def _default_base(server: Server, name: str) -> str:
    warehouse = server.settings.warehouse
    if warehouse is None:
        raise bad_request(f"A catalog needs {BASE}: this server has no warehouse of its own")
    return f"file://{warehouse.absolute() / locations.folder_name(name)}"


def _demand_inside(server: Server, mine: list[str]) -> None:
    """400 for a place outside the server's warehouse: the catalog makes and deletes folders where it is told to."""
    warehouse = server.settings.warehouse
    roots = {f"file://{path}" for path in (warehouse.absolute(), warehouse.resolve())} if warehouse else set()
    for location in mine:
        if is_object(location):
            continue
        if not any(locations.within(location, root) for root in roots):
            raise invalid(f"Location {location} is not inside this server's warehouse {warehouse}")


def _demand_no_overlap(tx: Transaction, name: str, mine: list[str]) -> None:
    for other, properties, storage in tx.all(
        "SELECT name, properties, storage FROM floe_catalogs WHERE name <> ?", name
    ):
        theirs = [json.loads(properties)[BASE], *json.loads(storage)["allowedLocations"]]
        if any(locations.overlap(one, two) for one in mine for two in theirs):
            raise invalid(
                f"Cannot create Catalog {name}. One or more of its locations overlaps with an existing catalog: {other}"
            )


def _get(tx: Transaction, name: str) -> Row:
    row = tx.one(f"SELECT {COLUMNS} FROM floe_catalogs WHERE name = ?", name)  # noqa: S608
    if row is None:
        raise entities.missing("CATALOG", name)
    return row


def get_catalog(server: Server, call: Call) -> Reply:
    """GET /catalogs/{catalog}."""
    with entities.admin_reading(server, call, "GET_CATALOG") as tx:
        return Reply.json(show(_get(tx, call.path["catalog"])))


def update_catalog(server: Server, call: Call) -> Reply:
    """PUT /catalogs/{catalog}."""
    body = call.json()
    name = call.path["catalog"]
    with entities.admin_writing(server, call, "UPDATE_CATALOG") as tx:
        current = show(_get(tx, name))
        entities.demand_version(body, current["entityVersion"], f"catalog {name}")
        properties = current["properties"]
        if body.get("properties") is not None:
            base = properties[BASE]
            properties = string_map(body["properties"], "properties")
            properties[BASE] = locations.normalize(properties.get(BASE) or base)
        storage = _storage(body.get("storageConfigInfo") or current["storageConfigInfo"], properties[BASE])
        _demand_inside(server, [properties[BASE], *storage["allowedLocations"]])
        server.folders.learn(storage["allowedLocations"], storage)
        _demand_no_overlap(tx, name, [properties[BASE], *storage["allowedLocations"]])
        tx.run(
            "UPDATE floe_catalogs SET properties = ?, storage = ?, updated = ?, version = version + 1 WHERE name = ?",
            entities.dump(properties),
            entities.dump(storage),
            now_ms(),
            name,
        )
        row = _get(tx, name)
    return Reply.json(show(row))


def delete_catalog(server: Server, call: Call) -> Reply:
    """DELETE /catalogs/{catalog}; only when it holds no namespace and no role but its own."""
    name = call.path["catalog"]
    with entities.admin_writing(server, call, "DELETE_CATALOG") as tx:
        _get(tx, name)
        filled = tx.one(
            "SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ? UNION ALL "
            "SELECT 1 FROM floe_catalog_roles WHERE catalog_name = ? AND name <> ? LIMIT 1",
            name,
            name,
            CATALOG_ADMIN,
        )
        if filled:
            raise ApiError(400, "BadRequestException", f"Catalog '{name}' cannot be dropped, it is not empty")
        tx.run("DELETE FROM floe_catalogs WHERE name = ?", name)
    return NO_CONTENT
