"""Several requests as one: all or nothing, with the rights of each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.conftest import SCHEMA, Space
from tests.catalog.server import Reply

MANAGEMENT = "/api/management/v1"


def batch(space: Space, *requests: Any, owner: bool = False) -> Reply:
    token = space.server.token_of(space.owner) if owner else space.server.root_token
    return space.server.send("POST", f"{MANAGEMENT}/batch", {"requests": list(requests)}, token=token)


def ask(method: str, path: str, body: Any = None, *accept: int) -> dict[str, Any]:
    return {"method": method, "path": path, "body": body, "accept": list(accept)}


def namespace(space: Space, name: str, *accept: int) -> dict[str, Any]:
    return ask("POST", f"/api/catalog/v1/{space.catalog}/namespaces", {"namespace": [name]}, *accept)


def names(space: Space) -> list[list[str]]:
    found: list[list[str]] = space.send("GET", "/namespaces").body["namespaces"]
    return found


def test_later_requests_see_what_earlier_ones_did(space: Space) -> None:
    name = f"p_{space.catalog}"
    reply = batch(
        space,
        namespace(space, "a b"),
        ask("POST", f"{MANAGEMENT}/principals", {"principal": {"name": name}}),
        ask("GET", f"{MANAGEMENT}/principals/{name}"),
        ask("POST", f"/api/catalog/v1/{space.catalog}/namespaces/a%20b/tables", {"name": "t", "schema": SCHEMA}),
        ask("GET", f"/api/catalog/v1/{space.catalog}/namespaces/a%20b/tables?pageSize=10"),
        ask("DELETE", f"{MANAGEMENT}/principals/{name}"),
    )
    assert reply.status == 200, reply
    answers = reply.body["responses"]
    assert [answer["status"] for answer in answers] == [200, 201, 200, 200, 200, 204]
    assert answers[2]["body"]["name"] == name
    assert answers[4]["body"]["identifiers"] == [{"namespace": ["a b"], "name": "t"}]
    assert answers[5]["body"] is None
    assert names(space) == [["a b"]]


def test_one_refusal_undoes_all(space: Space) -> None:
    path = f"/api/catalog/v1/{space.catalog}/namespaces/a/tables"
    reply = batch(
        space,
        namespace(space, "a"),
        ask("POST", path, {"name": "t", "schema": SCHEMA}),
        ask("GET", f"{MANAGEMENT}/catalogs/no_such_catalog"),
    )
    assert reply.status == 404
    assert "no_such_catalog" in reply.body["error"]["message"]
    assert names(space) == []
    folder = space.server.warehouse / space.catalog
    assert not list(folder.glob("**/*.metadata.json")), "the file of a table that never was"


def test_an_accepted_refusal_is_an_answer(space: Space) -> None:
    reply = batch(space, namespace(space, "a"), namespace(space, "a", 409), namespace(space, "b"))
    assert [answer["status"] for answer in reply.body["responses"]] == [200, 409, 200]
    assert reply.body["responses"][1]["body"]["error"]["type"] == "AlreadyExistsException"
    assert names(space) == [["a"], ["b"]]


def test_nobody_may_more_than_alone(space: Space) -> None:
    assert batch(space, namespace(space, "mine"), owner=True).status == 200
    refused = batch(space, namespace(space, "also"), ask("GET", f"{MANAGEMENT}/catalogs"), owner=True)
    assert refused.status == 403
    assert names(space) == [["mine"]]
    stranger = space.server.send("POST", f"{MANAGEMENT}/batch", {"requests": [namespace(space, "x")]})
    assert stranger.status == 401


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "1 to 1000 requests"),
        ([1], "requests[0] must be an object"),
        ([{"method": "GET"}], "requests[0] must be an object"),
        ([ask("GET", "/q/health/ready")], "does not answer GET /q/health/ready in a batch"),
        ([ask("POST", f"{MANAGEMENT}/batch", {"requests": []})], "in a batch"),
        ([ask("POST", "/api/catalog/v1/oauth/tokens")], "in a batch"),
        ([{**ask("GET", f"{MANAGEMENT}/catalogs"), "accept": 404}], "accept must be a list"),
        ([ask("GET", f"{MANAGEMENT}/catalogs")] * 1001, "1 to 1000 requests"),
    ],
)
def test_what_is_no_batch_is_refused(space: Space, requests: list[Any], words: str) -> None:
    reply = batch(space, *requests)
    assert reply.status == 400
    assert words in reply.body["error"]["message"]
