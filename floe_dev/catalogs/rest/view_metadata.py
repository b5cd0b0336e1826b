"""View metadata: made, and changed by the updates of the REST specification (Iceberg view format, version 1)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from floe_dev.catalogs.rest import fields
from floe_dev.catalogs.rest.errors import bad_request, commit_failed
from floe_dev.catalogs.rest.http import parse_object
from floe_dev.catalogs.rest.metadata import validated

View = dict[str, Any]
LAST_ADDED = -1


def create(location: str, body: Mapping[str, Any]) -> View:
    """The metadata of a new view from a CreateViewRequest; 400 if a part is missing or wrong."""
    schema = fields.required_object(body, "schema")
    version = fields.required_object(body, "view-version")
    view: View = {
        "view-uuid": str(uuid.uuid4()),
        "format-version": 1,
        "location": location,
        "schemas": [],
        "current-version-id": 0,
        "versions": [],
        "version-log": [],
        "properties": dict(fields.properties(body)),
    }
    state = _Changes()
    _add_schema(view, {"schema": schema}, state)
    _add_version(view, {"view-version": {**version, "schema-id": LAST_ADDED}}, state)
    _set_current(view, {"view-version-id": LAST_ADDED}, state)
    return view


def location_of(content: bytes) -> str:
    """The location in a view metadata file; 400 if the file is none."""
    view = parse_object(content)
    known = fields.objects(view, "versions")
    current = _integer(view, "current-version-id")
    if view.get("format-version") != 1 or current not in [version.get("version-id") for version in known]:
        raise bad_request("Not view metadata of format version 1")
    fields.text(view, "view-uuid")
    fields.objects(view, "schemas")
    fields.objects(view, "version-log")
    fields.properties(view)
    return fields.text(view, "location")


def commit(view: View, requirements: Sequence[Mapping[str, Any]], updates: Sequence[Mapping[str, Any]]) -> View:
    """The metadata after a CommitViewRequest; 409 if a requirement does not hold, 400 if an update makes no sense."""
    for requirement in requirements:
        kind = requirement.get("type")
        if kind != "assert-view-uuid":
            raise bad_request(f"Unknown requirement: {kind}")
        if fields.text(requirement, "uuid").lower() != view["view-uuid"]:
            raise commit_failed(f"Requirement failed: view UUID does not match: {view['view-uuid']}")
    changed = {**view, **{key: list(view[key]) for key in ("schemas", "versions", "version-log")}}
    changed["properties"] = dict(view.get("properties") or {})
    state = _Changes()
    for update in updates:
        action = update.get("action")
        apply = _UPDATES.get(action) if isinstance(action, str) else None
        if apply is None:
            raise bad_request(f"Unknown update: {action}")
        apply(changed, update, state)
    return changed


class _Changes:
    """Ids given out within one commit, which -1 refers to."""

    schema_id: int | None = None
    version_id: int | None = None


def _add_schema(view: View, update: Mapping[str, Any], state: _Changes) -> None:
    from pyiceberg.schema import Schema

    schema = dict(fields.required_object(update, "schema"))
    validated(lambda: Schema.model_validate(schema))
    content = {key: value for key, value in schema.items() if key != "schema-id"}
    for known in view["schemas"]:
        if {key: value for key, value in known.items() if key != "schema-id"} == content:
            state.schema_id = known["schema-id"]
            return
    state.schema_id = max((known["schema-id"] for known in view["schemas"]), default=-1) + 1
    view["schemas"].append({**content, "schema-id": state.schema_id})


def _add_version(view: View, update: Mapping[str, Any], state: _Changes) -> None:
    version = fields.required_object(update, "view-version")
    representations = fields.objects(version, "representations")
    dialects = [fields.text(item, "dialect").lower() for item in representations]
    if not representations or len(set(dialects)) != len(dialects):
        raise bad_request("Invalid view-version: one representation for each SQL dialect is required")
    for item in representations:
        if fields.text(item, "type") != "sql":
            raise bad_request("Invalid view-version: only representations of type sql are known")
        fields.text(item, "sql")
    given = _integer(version, "schema-id")
    schema_id = state.schema_id if given == LAST_ADDED else given
    if schema_id not in [schema["schema-id"] for schema in view["schemas"]]:
        raise bad_request(f"Invalid view-version: unknown schema-id {schema_id}")
    known = [item["version-id"] for item in view["versions"]]
    state.version_id = max(known, default=0) + 1
    new: dict[str, Any] = {
        "version-id": state.version_id,
        "timestamp-ms": int(time.time() * 1000),
        "schema-id": schema_id,
        "summary": fields.properties(version, "summary"),
        "representations": representations,
        "default-namespace": _default_namespace(version),
    }
    if catalog := fields.optional_text(version, "default-catalog"):
        new["default-catalog"] = catalog
    view["versions"].append(new)


def _set_current(view: View, update: Mapping[str, Any], state: _Changes) -> None:
    given = _integer(update, "view-version-id")
    version_id = state.version_id if given == LAST_ADDED else given
    if version_id not in [version["version-id"] for version in view["versions"]]:
        raise bad_request(f"Invalid view-version-id: unknown version {version_id}")
    if version_id != view["current-version-id"]:
        view["current-version-id"] = version_id
        view["version-log"].append({"timestamp-ms": int(time.time() * 1000), "version-id": version_id})


def _assign_uuid(view: View, update: Mapping[str, Any], _: _Changes) -> None:
    try:
        view["view-uuid"] = str(uuid.UUID(fields.text(update, "uuid")))
    except ValueError as error:
        raise bad_request("Invalid uuid") from error


def _upgrade(_view: View, update: Mapping[str, Any], _: _Changes) -> None:
    if _integer(update, "format-version") != 1:
        raise bad_request("Invalid format-version: views have version 1")


def _set_location(view: View, update: Mapping[str, Any], _: _Changes) -> None:
    view["location"] = fields.text(update, "location")


def _set_properties(view: View, update: Mapping[str, Any], _: _Changes) -> None:
    view["properties"].update(fields.properties(update, "updates"))


def _remove_properties(view: View, update: Mapping[str, Any], _: _Changes) -> None:
    for key in fields.texts(update, "removals"):
        view["properties"].pop(key, None)


def _default_namespace(version: Mapping[str, Any]) -> list[str]:
    """Of any catalog, and possibly empty: names in it are resolved by the engine."""
    if not isinstance(version.get("default-namespace"), list):
        raise bad_request("Invalid default-namespace: an array of strings is required")
    return fields.texts(version, "default-namespace")


def _integer(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_request(f"Invalid {key}: an integer is required")
    return value


_UPDATES: dict[str, Callable[[View, Mapping[str, Any], _Changes], None]] = {
    "assign-uuid": _assign_uuid,
    "upgrade-format-version": _upgrade,
    "add-schema": _add_schema,
    "set-location": _set_location,
    "set-properties": _set_properties,
    "remove-properties": _remove_properties,
    "add-view-version": _add_version,
    "set-current-view-version": _set_current,
}
