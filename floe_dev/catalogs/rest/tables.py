"""Table endpoints except commits: list, create (staged too), load, exists, register, drop, rename, reports."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from floe_dev.catalogs.rest import locations, names, namespaces, registry
from floe_dev.catalogs.rest.commits import store
from floe_dev.catalogs.rest.errors import ApiError, bad_request, forbidden
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.metadata import loaded, parse_model, validated
from floe_dev.catalogs.rest.paging import page
from floe_dev.catalogs.rest.registry import Identifier
from floe_dev.catalogs.rest.server import Request, Server
from floe_dev.catalogs.rest.vending import DELEGATION, readable, storage_credentials

PURGE_SWITCH = "polaris.config.drop-with-purge.enabled"


def identifier_of(request: Request) -> Identifier:
    """The table of the path."""
    return Identifier(request.warehouse.name, request.namespace, request.call.path["table"])


def _demand(request: Request, identifier: Identifier, operation: str, *privileges: str) -> None:
    request.access.demand(operation, *privileges, namespace=identifier.namespace, name=identifier.name)


def list_tables(server: Server, call: Call) -> Reply:
    """GET /namespaces/{namespace}/tables."""
    with server.reading(call) as request:
        namespaces.demand_exists(request.tx, request.warehouse.name, request.namespace)
        request.access.demand("LIST_TABLES", "TABLE_LIST", namespace=request.namespace)
        found = registry.listing(request.tx, request.warehouse.name, request.namespace, "table")
    chosen, token = page(found, call.query, server.settings.limits.page_size)
    return Reply.json({"identifiers": chosen, "next-page-token": token})


def create_table(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/tables; with `stage-create` nothing is entered, a transaction will do it."""
    body = call.json()
    staged = body.get("stage-create", False)
    if not isinstance(staged, bool):
        raise bad_request("stage-create must be a boolean")
    with server.writing(call) as request:
        tx, warehouse, namespace = request.tx, request.warehouse, request.namespace
        namespaces.demand_exists(tx, warehouse.name, namespace)
        operation = "CREATE_TABLE_STAGED" if staged else "CREATE_TABLE_DIRECT"
        request.access.demand(operation, "TABLE_CREATE", namespace=namespace)
        identifier = Identifier(warehouse.name, namespace, names.check_name(body.get("name"), "table name"))
        registry.demand_free(tx, identifier, "table")
        if body.get("schema") is None:
            raise ApiError(400, "IllegalArgumentException", "Invalid schema: null")
        location = _folder(server, request, identifier, body.get("location"))
        try:
            metadata = validated(lambda: _new_metadata(body, location))
            if staged:
                content = validated(metadata.model_dump_json).encode()
                config = _config(server, request, identifier, location, creating=True)
                return Reply(200, loaded(None, content, config, _credentials(request, location, config)))
            metadata_location, content = store(server, request, identifier, metadata, None)
            config = _config(server, request, identifier, location, creating=True)
        except BaseException:
            server.folders.release(location)
            raise
        tx.on_rollback.append(lambda: server.folders.release(location))
    answer = loaded(metadata_location, content, config, _credentials(request, location, config))
    return Reply(200, answer, {"etag": _etag(metadata_location, "all")})


def _folder(server: Server, request: Request, identifier: Identifier, asked: Any) -> str:
    if asked is None:
        parent = namespaces.location_of(request.tx, request.warehouse, identifier.namespace)
        default = locations.normalize(f"{parent}/{locations.folder_name(identifier.name)}")
        return server.folders.claim(locations.check_allowed(default, request.warehouse.allowed, str(identifier)))
    location = locations.check_allowed(asked, request.warehouse.allowed, str(identifier))
    registry.demand_own_folder(request.tx, identifier, location)
    server.folders.prepare(location)
    return location


def _new_metadata(body: dict[str, Any], location: str) -> Any:
    from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import new_table_metadata
    from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortOrder

    schema = Schema.model_validate(body["schema"])
    spec, order = body.get("partition-spec"), body.get("write-order")
    return new_table_metadata(
        schema=schema,
        partition_spec=PartitionSpec.model_validate(spec) if spec is not None else UNPARTITIONED_PARTITION_SPEC,
        sort_order=SortOrder.model_validate(order) if order is not None else UNSORTED_SORT_ORDER,
        location=location,
        properties=dict(namespaces.string_map(body.get("properties"), "properties")),
    )


def load_table(server: Server, call: Call) -> Reply:
    """GET /namespaces/{namespace}/tables/{table}."""
    which = call.query.get("snapshots", "all")
    if which not in {"all", "refs"}:
        raise bad_request("snapshots must be 'all' or 'refs'")
    with server.reading(call) as request:
        identifier = identifier_of(request)
        metadata_location = registry.get(request.tx, identifier)
        _demand(request, identifier, "LOAD_TABLE", "TABLE_READ_PROPERTIES")
        location = registry.folder(request.tx, identifier)
    config = _config(server, request, identifier, location or "")
    etag = _etag(metadata_location, which)
    # Keys end while a table stays as it is: then there is always something new to say.
    if "s3.access-key-id" not in config and etag in {
        tag.strip() for tag in call.headers.get("if-none-match", "").split(",")
    }:
        return Reply(304, None, {"etag": etag})
    try:
        content = server.files.read(metadata_location)
    except ApiError:
        with server.reading(call) as request:
            # Dropped and purged in between: a plain 404 then, or the metadata of the table that took its place.
            metadata_location = registry.get(request.tx, identifier)
        content = server.files.read(metadata_location)
        etag = _etag(metadata_location, which)
    if which == "refs":
        content = _only_referenced(content)
    answer = loaded(metadata_location, content, config, _credentials(request, location or "", config))
    return Reply(200, answer, {"etag": etag})


def _config(
    server: Server, request: Request, identifier: Identifier, location: str, *, creating: bool = False
) -> dict[str, str]:
    return server.vending.config(
        request.call,
        request.access,
        location,
        identifier.namespace,
        identifier.name,
        creating=creating,
        also_read=readable(request.warehouse.properties),
    )


def _credentials(request: Request, location: str, config: dict[str, str]) -> list[dict[str, Any]]:
    """Keys by place, where the catalog's readers may read elsewhere too; one place needs no telling."""
    also = readable(request.warehouse.properties)
    return storage_credentials(config, (location, *also)) if also else []


def _only_referenced(content: bytes) -> bytes:
    metadata = json.loads(content)
    wanted = {ref["snapshot-id"] for ref in (metadata.get("refs") or {}).values()}
    metadata["snapshots"] = [s for s in metadata.get("snapshots") or [] if s["snapshot-id"] in wanted]
    return json.dumps(metadata, separators=(",", ":")).encode()


def _etag(metadata_location: str, which: str) -> str:
    return f'"{hashlib.sha256(f"{which}:{metadata_location}".encode()).hexdigest()[:24]}"'


def table_exists(server: Server, call: Call) -> Reply:
    """HEAD /namespaces/{namespace}/tables/{table}."""
    with server.reading(call) as request:
        identifier = identifier_of(request)
        registry.get(request.tx, identifier)
        _demand(request, identifier, "TABLE_EXISTS", "TABLE_LIST")
    return NO_CONTENT


def drop_table(server: Server, call: Call) -> Reply:
    """DELETE /namespaces/{namespace}/tables/{table}; with `purgeRequested` its folder goes too."""
    text = call.query.get("purgeRequested", "false").lower()
    if text not in {"true", "false", ""}:
        raise bad_request("purgeRequested must be true or false")
    with server.writing(call) as request:
        tx, identifier = request.tx, identifier_of(request)
        metadata_location = registry.get(tx, identifier)
        if text != "true":
            _demand(request, identifier, "DROP_TABLE_WITHOUT_PURGE", "TABLE_DROP")
            registry.delete(tx, identifier, "table")
            return NO_CONTENT
        _demand(request, identifier, "DROP_TABLE_WITH_PURGE", "TABLE_DROP", "TABLE_WRITE_DATA")
        if request.warehouse.properties.get(PURGE_SWITCH, "true").lower() == "false":
            raise forbidden(f"Unable to purge {identifier}: {PURGE_SWITCH} is false for this catalog")
        location = registry.folder(tx, identifier) or _location_in(server.files.read(metadata_location))
        registry.delete(tx, identifier, "table")
        # Shared folders (a registered copy) are left to their other owner.
        inside = any(locations.within(location, base) and location != base for base in request.warehouse.allowed)
        if inside and not registry.neighbours(tx, location):
            tx.after_commit.append(lambda: server.folders.purge(location))
    return NO_CONTENT


def _location_in(content: bytes) -> str:
    return locations.normalize(json.loads(content)["location"])


def rename_table(server: Server, call: Call) -> Reply:
    """POST /tables/rename."""
    return rename(server, call, "table")


def rename(server: Server, call: Call, kind: registry.Kind) -> Reply:
    """Rename a table or view, also into another namespace."""
    body = call.json()
    with server.writing(call) as request:
        tx, catalog, upper = request.tx, request.warehouse.name, kind.upper()
        source = body_identifier(catalog, body.get("source"), "source")
        target = body_identifier(catalog, body.get("destination"), "destination")
        registry.get(tx, source, kind)
        namespaces.demand_exists(tx, catalog, target.namespace)
        operation = f"RENAME_{upper}"
        request.access.demand(operation, f"{upper}_DROP", namespace=source.namespace, name=source.name, kind=kind)
        request.access.demand(operation, f"{upper}_CREATE", namespace=target.namespace)
        names.check_name(target.name, f"{kind} name")
        for other in ("table", "view"):
            if registry.find(tx, target, "table" if other == "table" else "view") is not None:
                raise ApiError(
                    409,
                    "AlreadyExistsException",
                    f"Cannot rename {source} to {target}. {other.capitalize()} already exists",
                )
        registry.rename(tx, source, target, kind)
    return NO_CONTENT


def body_identifier(catalog: str, value: Any, what: str) -> Identifier:
    """A TableIdentifier of a request body; 400 if malformed."""
    if not isinstance(value, dict):
        raise bad_request(f"{what} must be an identifier with namespace and name")
    levels, name = value.get("namespace"), value.get("name")
    if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
        raise bad_request(f"{what}.namespace must be a list of strings")
    if not isinstance(name, str) or not name:
        raise bad_request(f"{what}.name must be a string")
    return Identifier(catalog, tuple(levels), name)


def register_table(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/register: enter a table whose metadata file is there already."""
    body = call.json()
    overwrite = body.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise bad_request("overwrite must be a boolean")
    with server.writing(call) as request:
        tx, warehouse = request.tx, request.warehouse
        namespaces.demand_exists(tx, warehouse.name, request.namespace)
        request.access.demand("REGISTER_TABLE", "TABLE_CREATE", namespace=request.namespace)
        identifier = Identifier(warehouse.name, request.namespace, names.check_name(body.get("name"), "table name"))
        existing = registry.find(tx, identifier)
        if existing is None or not overwrite:
            registry.demand_free(tx, identifier, "table")
        given = body.get("metadata-location")
        metadata_location = locations.check_allowed(given, warehouse.allowed, str(identifier))
        content = server.files.offered(metadata_location, str(given), server.settings.limits.body_bytes)
        location = locations.check_allowed(parse_model(content).location, warehouse.allowed, str(identifier))
        if existing is None:
            registry.insert(tx, identifier, "table", metadata_location, location)
        else:
            _demand(request, identifier, "REGISTER_TABLE", "TABLE_WRITE_PROPERTIES")
            registry.replace(tx, identifier, "table", existing, metadata_location, location)
        server.folders.prepare(location)
    return Reply(200, loaded(metadata_location, content, {}), {"etag": _etag(metadata_location, "all")})


def credentials(server: Server, call: Call) -> Reply:
    """GET …/credentials: fresh keys for a table's objects; files on this machine need none, so the list is empty."""
    with server.reading(call) as request:
        identifier = identifier_of(request)
        registry.get(request.tx, identifier)
        _demand(request, identifier, "LOAD_CREDENTIALS", "TABLE_READ_DATA")
        location = registry.folder(request.tx, identifier) or ""
    headers = {**call.headers, DELEGATION: "vended-credentials"}
    config = _config(server, replace(request, call=replace(call, headers=headers)), identifier, location)
    places = (location, *readable(request.warehouse.properties))
    return Reply.json({"storage-credentials": storage_credentials(config, places)})


def metrics(server: Server, call: Call) -> Reply:
    """POST …/metrics: a scan or commit report, checked and accepted."""
    body = call.json()
    with server.reading(call) as request:
        identifier = identifier_of(request)
        registry.get(request.tx, identifier)
        _demand(request, identifier, "REPORT_METRICS", "TABLE_READ_PROPERTIES")
        if not isinstance(body.get("report-type"), str) or not isinstance(body.get("table-name"), str):
            raise bad_request("A metrics report has report-type and table-name")
    return NO_CONTENT
