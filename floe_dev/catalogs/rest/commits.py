"""Commits to tables: requirements, then updates, then one new metadata file each, all in one transaction.

A commit applies its updates to the newest metadata, whatever its author has read: the requirements it carries say what
must not have changed. So changes that do not touch each other both succeed without a retry (a property beside an
append), and of two on the same base exactly one wins, as the specification has it; the server never rewrites a snapshot
to make it fit, since the manifest list in it was made for the parent that was asserted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from floe_dev.catalogs.rest import locations, names, namespaces, registry
from floe_dev.catalogs.rest.errors import bad_request, commit_failed
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.metadata import loaded, new_file, next_version, validated
from floe_dev.catalogs.rest.registry import Identifier
from floe_dev.catalogs.rest.server import Request, Server
from floe_dev.catalogs.rest.updates import apply_updates, settle

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pyiceberg.table.metadata import TableMetadata

#: Table properties that name places where a client will write.
PATH_PROPERTIES = ("write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path")
DELETE_OLD = "write.metadata.delete-after-commit.enabled"


@dataclass(frozen=True)
class Change:
    """One table's part of a commit, parsed."""

    identifier: Identifier
    requirements: tuple[Any, ...]
    updates: tuple[Any, ...]

    @property
    def creates(self) -> bool:
        """Whether it may only happen if the table is not there."""
        return any(requirement.type == "assert-create" for requirement in self.requirements)


@cache
def _adapters() -> tuple[TypeAdapter[Any], TypeAdapter[Any]]:
    from pydantic import TypeAdapter
    from pyiceberg.table.update import TableRequirement, TableUpdate

    return TypeAdapter(tuple[TableRequirement, ...]), TypeAdapter(tuple[TableUpdate, ...])


def parse_change(identifier: Identifier, body: dict[str, Any]) -> Change:
    """The requirements and updates of a request body; 400 for unknown or malformed ones."""
    requirements, updates = body.get("requirements", []), body.get("updates", [])
    if not isinstance(requirements, list) or not isinstance(updates, list):
        raise bad_request("requirements and updates must be lists")
    for_requirements, for_updates = _adapters()
    return Change(
        identifier,
        validated(lambda: for_requirements.validate_python(requirements)),
        validated(lambda: for_updates.validate_python(updates)),
    )


def commit_table(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/tables/{table}."""
    body = call.json()
    with server.writing(call) as request:
        identifier = Identifier(request.warehouse.name, request.namespace, call.path["table"])
        change = parse_change(identifier, body)
        metadata_location, content = apply(server, request, change)
    return Reply(200, loaded(metadata_location, content, {}))


def commit_transaction(server: Server, call: Call) -> Reply:
    """POST /transactions/commit: every change or none."""
    body = call.json()
    parts = body.get("table-changes")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise bad_request("table-changes must be a list of commits")
    with server.writing(call) as request:
        changes = []
        for part in parts:
            place = part.get("identifier")
            if not isinstance(place, dict):
                raise bad_request("every change of a transaction needs an identifier")
            namespace = names.check_namespace(place.get("namespace"))
            name = names.check_name(place.get("name"), "table name")
            changes.append(parse_change(Identifier(request.warehouse.name, namespace, name), part))
        for change in changes:
            apply(server, request, change)
    return NO_CONTENT


def apply(server: Server, request: Request, change: Change) -> tuple[str, bytes]:
    """Carry out one change inside the request's transaction; the new metadata's location and JSON."""
    identifier = change.identifier
    current = registry.find(request.tx, identifier)
    _authorize(request, change, exists=current is not None)
    if current is None:
        if not change.creates:
            raise registry.missing(identifier, "table")
        names.check_name(identifier.name, "table name")
        registry.demand_free(request.tx, identifier, "table")
    base = server.files.model(current) if current is not None else None
    if base is not None and change.creates:
        raise commit_failed("Requirement failed: table already exists")
    for requirement in change.requirements:
        validated(partial(requirement.validate, base))
    updates = settle(base, change.updates)
    if current is not None and not updates:
        return current, server.files.read(current)
    if base is None and not updates:
        raise bad_request("A table is created by updates, and there are none")
    metadata = validated(lambda: apply_updates(base, updates, current))
    return store(server, request, identifier, metadata, current)


def store(
    server: Server, request: Request, identifier: Identifier, metadata: TableMetadata, current: str | None
) -> tuple[str, bytes]:
    """Write new metadata and point the catalog to it; undone with the transaction."""
    allowed, text = request.warehouse.allowed, str(identifier)
    location = locations.check_allowed(metadata.location, allowed, text)
    for name in PATH_PROPERTIES:
        if metadata.properties.get(name):
            locations.check_allowed(metadata.properties[name], allowed, text)
    if current is None or server.files.model(current).location != metadata.location:
        registry.demand_own_folder(request.tx, identifier, location)
        server.folders.prepare(location)
    content = validated(metadata.model_dump_json).encode()
    version = 0 if current is None else next_version(current)
    metadata_location = new_file(location, version, metadata.properties.get("write.metadata.path"))
    request.tx.on_rollback.append(lambda: server.files.remove(metadata_location))
    server.files.write(metadata_location, content, metadata)
    if current is None:
        registry.insert(request.tx, identifier, "table", metadata_location, location)
    else:
        registry.replace(request.tx, identifier, "table", current, metadata_location, location)
        if metadata.properties.get(DELETE_OLD, "false").lower() == "true":
            _forget_old(server, request, current, metadata)
    return metadata_location, content


def _forget_old(server: Server, request: Request, current: str, metadata: TableMetadata) -> None:
    kept = {entry.metadata_file for entry in metadata.metadata_log}
    old = [e.metadata_file for e in server.files.model(current).metadata_log if e.metadata_file not in kept]
    inside = [file for file in old if any(locations.within(file, base) for base in request.warehouse.allowed)]
    request.tx.after_commit.extend(partial(server.files.remove, file) for file in inside)


def _authorize(request: Request, change: Change, exists: bool) -> None:
    identifier = change.identifier
    if not exists:
        namespaces.demand_exists(request.tx, request.warehouse.name, identifier.namespace)
        if change.creates:
            request.access.demand("CREATE_TABLE_STAGED", "TABLE_CREATE", namespace=identifier.namespace)
        return
    needed = {update.action.upper().replace("-", "_") for update in change.updates}
    for action in sorted(needed) or ["SET_PROPERTIES"]:
        privilege = f"TABLE_{_PRIVILEGE.get(action, action)}"
        operation = _OPERATION.get(action, f"{action}_TABLE")
        request.access.demand(operation, privilege, namespace=identifier.namespace, name=identifier.name)


_PRIVILEGE = {
    "ADD_SPEC": "ADD_PARTITION_SPEC",
    "SET_DEFAULT_SPEC": "ADD_PARTITION_SPEC",
    "REMOVE_SCHEMAS": "SET_CURRENT_SCHEMA",
    "SET_PARTITION_STATISTICS": "SET_STATISTICS",
    "REMOVE_PARTITION_STATISTICS": "REMOVE_STATISTICS",
}
_OPERATION = {"SET_PROPERTIES": "SET_TABLE_PROPERTIES", "REMOVE_PROPERTIES": "REMOVE_TABLE_PROPERTIES"}
