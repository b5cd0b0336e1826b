"""View endpoints. SqlCatalog has no views: names live in a table of our own, metadata files beside those of tables."""

from __future__ import annotations

import json
from typing import Any

from floe_dev.catalogs.rest import fields, locations, namespaces, registry, view_metadata
from floe_dev.catalogs.rest.errors import bad_request
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.metadata import loaded, new_file, next_version
from floe_dev.catalogs.rest.paging import page
from floe_dev.catalogs.rest.registry import Identifier
from floe_dev.catalogs.rest.server import Request, Server
from floe_dev.catalogs.rest.tables import rename


def _identifier(request: Request) -> Identifier:
    return Identifier(request.warehouse.name, request.namespace, request.call.path["view"])


def _demand(request: Request, identifier: Identifier, operation: str, privilege: str) -> None:
    request.access.demand(operation, privilege, namespace=identifier.namespace, name=identifier.name, kind="view")


def list_views(server: Server, call: Call) -> Reply:
    """GET /namespaces/{namespace}/views."""
    with server.reading(call) as request:
        namespaces.demand_exists(request.tx, request.warehouse.name, request.namespace)
        request.access.demand("LIST_VIEWS", "VIEW_LIST", namespace=request.namespace)
        found = registry.listing(request.tx, request.warehouse.name, request.namespace, "view")
    chosen, token = page(found, call.query, server.settings.limits.page_size)
    return Reply.json({"identifiers": chosen, "next-page-token": token})


def create_view(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/views."""
    body = call.json()
    with server.writing(call) as request:
        tx, warehouse, namespace = request.tx, request.warehouse, request.namespace
        namespaces.demand_exists(tx, warehouse.name, namespace)
        request.access.demand("CREATE_VIEW", "VIEW_CREATE", namespace=namespace)
        identifier = Identifier(warehouse.name, namespace, fields.new_name(body))
        registry.demand_free(tx, identifier, "view")
        asked = fields.optional_text(body, "location")
        if asked is None:
            parent = namespaces.location_of(tx, warehouse, namespace)
            asked = f"{parent}/{locations.folder_name(identifier.name)}"
            if registry.neighbours(tx, locations.normalize(asked)):
                asked = locations.with_suffix(asked)
        location = locations.check_allowed(asked, warehouse.allowed, str(identifier))
        registry.demand_own_folder(tx, identifier, location)
        view = view_metadata.create(location, body)
        metadata_location, content = _store(server, request, identifier, view, None)
    return Reply(200, loaded(metadata_location, content, {}))


def _store(
    server: Server, request: Request, identifier: Identifier, view: dict[str, Any], current: str | None
) -> tuple[str, bytes]:
    location = locations.check_allowed(view["location"], request.warehouse.allowed, str(identifier))
    content = json.dumps({**view, "location": location}, separators=(",", ":")).encode()
    metadata_location = new_file(location, 0 if current is None else next_version(current))
    request.tx.on_rollback.append(lambda: server.files.remove(metadata_location))
    server.files.write(metadata_location, content)
    if current is None:
        registry.insert(request.tx, identifier, "view", metadata_location, location)
    else:
        registry.replace(request.tx, identifier, "view", current, metadata_location, location)
    return metadata_location, content


def load_view(server: Server, call: Call) -> Reply:
    """GET /namespaces/{namespace}/views/{view}."""
    with server.reading(call) as request:
        identifier = _identifier(request)
        metadata_location = registry.get(request.tx, identifier, "view")
        _demand(request, identifier, "LOAD_VIEW", "VIEW_READ_PROPERTIES")
    return Reply(200, loaded(metadata_location, server.files.read(metadata_location), {}))


def view_exists(server: Server, call: Call) -> Reply:
    """HEAD /namespaces/{namespace}/views/{view}."""
    with server.reading(call) as request:
        identifier = _identifier(request)
        registry.get(request.tx, identifier, "view")
        _demand(request, identifier, "VIEW_EXISTS", "VIEW_LIST")
    return NO_CONTENT


def replace_view(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/views/{view}: commit changes."""
    body = call.json()
    with server.writing(call) as request:
        identifier = _identifier(request)
        current = registry.get(request.tx, identifier, "view")
        _demand(request, identifier, "REPLACE_VIEW", "VIEW_WRITE_PROPERTIES")
        if body.get("identifier") is not None:
            asked = fields.identifier(fields.required_object(body, "identifier"))
            if asked != (identifier.namespace, identifier.name):
                raise bad_request(f"The identifier of the body is not the view of the path, {identifier}")
        requirements, updates = fields.objects(body, "requirements"), fields.objects(body, "updates")
        view = view_metadata.commit(json.loads(server.files.read(current)), requirements, updates)
        metadata_location, content = _store(server, request, identifier, view, current)
    return Reply(200, loaded(metadata_location, content, {}))


def drop_view(server: Server, call: Call) -> Reply:
    """DELETE /namespaces/{namespace}/views/{view}."""
    with server.writing(call) as request:
        identifier = _identifier(request)
        registry.get(request.tx, identifier, "view")
        _demand(request, identifier, "DROP_VIEW", "VIEW_DROP")
        registry.delete(request.tx, identifier, "view")
    return NO_CONTENT


def rename_view(server: Server, call: Call) -> Reply:
    """POST /views/rename."""
    return rename(server, call, "view")


def register_view(server: Server, call: Call) -> Reply:
    """POST /namespaces/{namespace}/register-view: enter a view whose metadata file is there already."""
    body = call.json()
    with server.writing(call) as request:
        warehouse = request.warehouse
        namespaces.demand_exists(request.tx, warehouse.name, request.namespace)
        request.access.demand("REGISTER_VIEW", "VIEW_CREATE", namespace=request.namespace)
        identifier = Identifier(warehouse.name, request.namespace, fields.new_name(body))
        registry.demand_free(request.tx, identifier, "view")
        given = fields.text(body, "metadata-location")
        metadata_location = locations.check_allowed(given, warehouse.allowed, str(identifier))
        content = server.files.offered(metadata_location, str(given), server.settings.limits.body_bytes)
        location = view_metadata.location_of(content)
        location = locations.check_allowed(location, warehouse.allowed, str(identifier))
        registry.insert(request.tx, identifier, "view", metadata_location, location)
    return Reply(200, loaded(metadata_location, content, {}))
