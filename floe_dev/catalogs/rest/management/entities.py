"""What the management handlers share: bodies, versions, and the rule that only an administrator calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from floe_dev.catalogs.rest import names
from floe_dev.catalogs.rest.access import Principal, access_to, refused
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import ApiError, already_exists, bad_request, commit_failed, not_found
from floe_dev.catalogs.rest.http import Call
from floe_dev.catalogs.rest.namespaces import string_map
from floe_dev.catalogs.rest.server import Server


@contextmanager
def admin_reading(server: Server, call: Call, operation: str) -> Iterator[Transaction]:
    """A read transaction for an administrator; 403 for others."""
    with server.database.read() as tx:
        _demand_admin(server.principal(tx, call), operation)
        yield tx


@contextmanager
def admin_writing(server: Server, call: Call, operation: str) -> Iterator[Transaction]:
    """A write transaction for an administrator; 403 for others."""
    with server.database.write() as tx:
        _demand_admin(server.principal(tx, call), operation)
        yield tx


def demand_catalog_access(server: Server, call: Call, tx: Transaction, catalog: str, operation: str) -> None:
    """Administrators, and whoever may manage access in the catalog."""
    principal = server.principal(tx, call)
    if principal.is_admin:
        return
    access = access_to(tx, principal, catalog)
    if access is None or not access.may("CATALOG_MANAGE_ACCESS"):
        raise refused(principal, operation)


def _demand_admin(principal: Principal, operation: str) -> None:
    if not principal.is_admin:
        raise refused(principal, operation)


def part(body: dict[str, Any], name: str) -> dict[str, Any]:
    """A nested object of a body, `{"catalog": {…}}`; 400 if it is not there."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise bad_request(f"{name} must be an object")
    return value


def named(body: dict[str, Any], what: str) -> tuple[str, dict[str, str]]:
    """Name and properties of an entity in a body."""
    return names.check_name(body.get("name"), f"{what} name"), string_map(body.get("properties"), "properties")


def missing(what: str, name: str) -> ApiError:
    """404 in Polaris's words."""
    return not_found(f"TopLevelEntity of type {what} does not exist: {name}")


def taken(what: str, name: str, place: str = "") -> ApiError:
    """409 in Polaris's words."""
    return already_exists(f"Cannot create {what} {name}{place}. {what} already exists or resolution failed")


def demand_version(body: dict[str, Any], version: int, what: str) -> None:
    """409 if the caller updates another version than the one that is there."""
    given = body.get("currentEntityVersion")
    if not isinstance(given, int) or isinstance(given, bool):
        raise bad_request("currentEntityVersion must be an integer")
    if given != version:
        raise commit_failed(f"Failed to update {what}; its version is {version}, not {given}")


def times(created: int, updated: int, version: int) -> dict[str, int]:
    """The bookkeeping fields of every entity."""
    return {"createTimestamp": created, "lastUpdateTimestamp": updated, "entityVersion": version}


def dump(properties: dict[str, Any]) -> str:
    """The form of JSON columns."""
    return json.dumps(properties, separators=(",", ":"))
