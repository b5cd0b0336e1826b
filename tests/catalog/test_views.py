"""Views over HTTP: the specification's view endpoints, which SqlCatalog does not have."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.catalog.conftest import SCHEMA, Space


def version(sql: str = "select 1") -> dict[str, Any]:
    return {
        "version-id": 1,
        "timestamp-ms": 1,
        "schema-id": 0,
        "summary": {"engine-name": "test"},
        "representations": [{"type": "sql", "sql": sql, "dialect": "duckdb"}],
        "default-namespace": ["raw"],
    }


def make_view(space: Space, name: str = "v") -> Any:
    body = {"name": name, "schema": SCHEMA, "view-version": version(), "properties": {"a": "1"}}
    reply = space.send("POST", "/namespaces/raw/views", body)
    assert reply.status == 200, reply
    return reply.body["metadata"]


@pytest.fixture
def raw(space: Space) -> Space:
    space.make_namespace("raw")
    return space


def replace(space: Space, *updates: Any, uuid: str | None = None, name: str = "v") -> Any:
    requirements = [] if uuid is None else [{"type": "assert-view-uuid", "uuid": uuid}]
    body = {
        "identifier": {"namespace": ["raw"], "name": name},
        "requirements": requirements,
        "updates": list(updates),
    }
    return space.send("POST", f"/namespaces/raw/views/{name}", body)


def test_replacing_keeps_the_versions_before(raw: Space) -> None:
    made = make_view(raw)
    updates = (
        {"action": "add-view-version", "view-version": version("select 2")},
        {"action": "set-current-view-version", "view-version-id": -1},
    )
    reply = replace(raw, *updates, uuid=made["view-uuid"])
    assert reply.status == 200, reply
    view = raw.send("GET", "/namespaces/raw/views/v").body["metadata"]
    current = next(item for item in view["versions"] if item["version-id"] == view["current-version-id"])
    assert current["representations"][0]["sql"] == "select 2"
    assert len(view["versions"]) == 2
    assert [entry["version-id"] for entry in view["version-log"]] == [
        item["version-id"] for item in sorted(view["versions"], key=lambda item: int(item["version-id"]))
    ]
    assert view["view-uuid"] == made["view-uuid"]


def test_replacing_another_view_of_the_name_is_a_conflict(raw: Space) -> None:
    make_view(raw)
    update = {"action": "set-properties", "updates": {"a": "2"}}
    reply = replace(raw, update, uuid=str(uuid4()))
    assert (reply.status, reply.error) == (409, "CommitFailedException")


def test_properties_change(raw: Space) -> None:
    make_view(raw)
    updates = (
        {"action": "set-properties", "updates": {"b": "2"}},
        {"action": "remove-properties", "removals": ["a", "never"]},
    )
    assert replace(raw, *updates).status == 200
    assert raw.send("GET", "/namespaces/raw/views/v").body["metadata"]["properties"] == {"b": "2"}


@pytest.mark.parametrize(
    "update",
    [
        {"action": "fly"},
        {},
        {"action": ["add-schema"]},
        {"action": "add-view-version"},
        {"action": "add-view-version", "view-version": {**version(), "schema-id": 7}},
        {"action": "add-view-version", "view-version": {**version(), "representations": []}},
        {"action": "set-current-view-version", "view-version-id": 99},
        {"action": "set-current-view-version", "view-version-id": "1"},
        {"action": "add-schema", "schema": {"type": "struct", "fields": [{"id": 1}]}},
        {"action": "set-location", "location": "s3://elsewhere"},
    ],
)
def test_an_update_without_sense_changes_nothing(raw: Space, update: dict[str, Any]) -> None:
    make_view(raw)
    before = raw.send("GET", "/namespaces/raw/views/v").body
    assert replace(raw, update).status in (400, 403)
    assert raw.send("GET", "/namespaces/raw/views/v").body == before


def test_rename_drop_and_names_shared_with_tables(raw: Space) -> None:
    make_view(raw)
    raw.make_table("raw", "t")
    rename = {"source": {"namespace": ["raw"], "name": "v"}, "destination": {"namespace": ["raw"], "name": "t"}}
    assert raw.send("POST", "/views/rename", rename).status == 409
    rename["destination"]["name"] = "w"
    assert raw.send("POST", "/views/rename", rename).status == 204
    assert raw.send("HEAD", "/namespaces/raw/views/v").status == 404
    assert raw.send("HEAD", "/namespaces/raw/views/w").status == 204
    body = {"name": "t", "schema": SCHEMA, "view-version": version(), "properties": {}}
    assert raw.send("POST", "/namespaces/raw/views", body).status == 409
    assert raw.send("DELETE", "/namespaces/raw").status == 409
    assert raw.send("DELETE", "/namespaces/raw/views/w").status == 204
    assert raw.send("DELETE", "/namespaces/raw/views/w").error == "NoSuchViewException"
