"""All that a catalog or a namespace holds, dropped by one request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.conftest import Space
from tests.catalog.server import Reply

MANAGEMENT = "/api/management/v1"
VIEW = {
    "name": "v",
    "schema": {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "int"}]},
    "view-version": {
        "version-id": 1,
        "timestamp-ms": 1,
        "schema-id": 0,
        "summary": {},
        "default-namespace": ["a"],
        "representations": [{"type": "sql", "sql": "select 1 as id", "dialect": "duckdb"}],
    },
    "properties": {},
}


def drop(space: Space, query: str = "", catalog: str | None = None, **options: Any) -> Reply:
    path = f"{MANAGEMENT}/catalogs/{catalog or space.catalog}/contents{query}"
    return space.server.send("DELETE", path, **{"token": space.server.root_token, **options})


def fill(space: Space) -> list[Path]:
    """Tables in `a`, `a.b` and `ab`, a view in `a`; the tables' folders."""
    folders = []
    for levels in (("a",), ("a", "b"), ("ab",)):
        space.make_namespace(*levels)
        location = space.make_table("%1F".join(levels), "t")["metadata"]["location"]
        folders.append(Path(location.removeprefix("file://")))
    assert space.send("POST", "/namespaces/a/views", VIEW).status == 200
    return folders


def names(space: Space) -> list[list[str]]:
    found: list[list[str]] = space.send("GET", "/namespaces").body["namespaces"]
    return found


def test_a_catalog_is_empty_and_can_be_deleted(space: Space) -> None:
    folders = fill(space)
    assert drop(space).status == 204
    assert names(space) == []
    assert all(folder.exists() for folder in folders), "nobody asked for a purge"
    space.make_namespace("a")
    assert space.send("GET", "/namespaces/a/tables").body["identifiers"] == []
    assert space.send("GET", "/namespaces/a/views").body["identifiers"] == []


def test_a_namespace_goes_with_what_is_below_and_no_other(space: Space) -> None:
    inside, below, beside = fill(space)
    assert drop(space, "?namespace=a&purgeRequested=true").status == 204
    assert names(space) == [["ab"]]
    assert (inside.exists(), below.exists(), beside.exists()) == (False, False, True)
    assert space.send("GET", "/namespaces/ab/tables/t").status == 200
    assert drop(space, "?namespace=a").status == 204, "what is not there holds nothing"


def test_a_folder_that_another_table_has_too_stays(space: Space) -> None:
    (folder, *_) = fill(space)
    loaded = space.send("GET", "/namespaces/a/tables/t").body
    body = {"name": "copy", "metadata-location": loaded["metadata-location"]}
    assert space.send("POST", "/namespaces/ab/register", body).status == 200
    assert drop(space, "?namespace=a&purgeRequested=true").status == 204
    assert folder.exists()
    assert space.send("GET", "/namespaces/ab/tables/copy").status == 200
    assert drop(space, "?purgeRequested=true").status == 204
    assert not folder.exists()


def test_grants_within_go_and_those_on_the_catalog_stay(space: Space) -> None:
    fill(space)
    assert drop(space).status == 204
    space.make_namespace("a")
    space.make_table("a", "t")


def test_only_an_administrator_may(space: Space) -> None:
    fill(space)
    assert drop(space, token=space.server.token_of(space.owner)).status == 403
    assert names(space) == [["a"], ["ab"]]
    assert drop(space, token=None).status == 401


@pytest.mark.parametrize("query", ["?purgeRequested=perhaps", "?namespace=", "?namespace"])
def test_what_is_no_request_is_refused(space: Space, query: str) -> None:
    space.make_namespace("a")
    assert drop(space, query).status == 400
    assert names(space) == [["a"]]


def test_a_catalog_that_is_not_there(space: Space) -> None:
    assert drop(space, catalog="no_such_catalog").status == 404
