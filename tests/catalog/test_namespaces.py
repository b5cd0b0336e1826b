"""Namespaces and names over HTTP: nesting, properties, pages, and names that need escaping."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.catalog.conftest import SCHEMA, Space

NAMES = ["a.b", "a b", "naïve", "日本", "a%2Eb", "a+b", "a?b#c", "..", "a'b\"c", "UPPER", "x" * 120, "a%1Fb", "é", "🙂"]


def encoded(*levels: str) -> str:
    return quote("\x1f".join(levels), safe="")


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives_the_way_there_and_back(space: Space, name: str) -> None:
    space.make_namespace(name)
    space.make_namespace(name, name)
    path = encoded(name, name)
    assert space.send("GET", f"/namespaces/{path}").body["namespace"] == [name, name]
    assert space.send("GET", "/namespaces").body["namespaces"] == [[name]]
    children = space.send("GET", f"/namespaces?parent={encoded(name)}").body["namespaces"]
    assert children == [[name, name]]
    table = space.make_table(path, name)
    location = table["metadata"]["location"]
    assert location.startswith(space.server.location(space.catalog) + "/")
    listed = space.send("GET", f"/namespaces/{path}/tables").body["identifiers"]
    assert listed == [{"namespace": [name, name], "name": name}]
    assert space.send("GET", f"/namespaces/{path}/tables/{encoded(name)}").status == 200
    commit = {
        "identifier": {"namespace": [name, name], "name": name},
        "requirements": [],
        "updates": [{"action": "set-properties", "updates": {"a": "1"}}],
    }
    assert space.send("POST", f"/namespaces/{path}/tables/{encoded(name)}", commit).status == 200
    assert space.send("DELETE", f"/namespaces/{path}/tables/{encoded(name)}?purgeRequested=true").status == 204
    assert space.send("DELETE", f"/namespaces/{encoded(name)}").status == 409
    assert space.send("DELETE", f"/namespaces/{path}").status == 204
    assert space.send("DELETE", f"/namespaces/{encoded(name)}").status == 204


def test_a_dot_in_a_name_is_no_level(space: Space) -> None:
    space.make_namespace("a")
    space.make_namespace("a", "b")
    space.make_namespace("a.b")
    assert sorted(space.send("GET", "/namespaces").body["namespaces"]) == [["a"], ["a.b"]]
    space.make_table("a.b", "t")
    assert space.send("HEAD", f"/namespaces/{encoded('a', 'b')}/tables/t").status == 404
    assert space.send("HEAD", "/namespaces/a.b/tables/t").status == 204


@pytest.mark.parametrize("name", ["", "a/b", "a\x00b", "a\x1fb", "x" * 2000])
def test_names_that_cannot_be_are_refused(space: Space, name: str) -> None:
    assert space.send("POST", "/namespaces", {"namespace": [name]}).status == 400
    space.make_namespace("raw")
    assert space.send("POST", "/namespaces/raw/tables", {"name": name, "schema": SCHEMA}).status == 400


def test_an_escaped_slash_stays_inside_its_name(space: Space) -> None:
    space.make_namespace("raw")
    reply = space.send("GET", "/namespaces/raw/tables/a%2Fb")
    assert (reply.status, reply.error) == (404, "NoSuchTableException")
    assert space.send("GET", "/namespaces/raw%2Ftables%2Ft").error == "NoSuchNamespaceException"


def test_properties_are_set_removed_and_missed(space: Space) -> None:
    assert space.send("POST", "/namespaces", {"namespace": ["n"], "properties": {"a": "1", "b": "2"}}).status == 200
    change = {"updates": {"c": "3", "a": "4"}, "removals": ["b", "z"]}
    reply = space.send("POST", "/namespaces/n/properties", change)
    assert reply.status == 200, reply
    assert sorted(reply.body["updated"]) == ["a", "c"]
    assert (reply.body["removed"], reply.body["missing"]) == (["b"], ["z"])
    properties = space.send("GET", "/namespaces/n").body["properties"]
    assert {key: properties.get(key) for key in "abc"} == {"a": "4", "b": None, "c": "3"}


def test_a_namespace_outlives_its_last_property(space: Space) -> None:
    space.make_namespace("n")
    keys = list(space.send("GET", "/namespaces/n").body["properties"])
    assert space.send("POST", "/namespaces/n/properties", {"removals": keys}).status == 200
    assert space.send("GET", "/namespaces/n").status == 200
    space.make_table("n", "t")


def test_namespaces_come_in_pages(space: Space) -> None:
    for number in range(5):
        space.make_namespace(f"n{number}")
    first = space.send("GET", "/namespaces?pageToken=&pageSize=3").body
    rest = space.send("GET", f"/namespaces?pageSize=3&pageToken={quote(first['next-page-token'])}").body
    assert [*first["namespaces"], *rest["namespaces"]] == [[f"n{number}"] for number in range(5)]
    assert rest.get("next-page-token") is None
