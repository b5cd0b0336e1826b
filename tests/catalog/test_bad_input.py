"""Malformed, huge, slow and wrong-typed requests: 4xx in the specification's error shape, never 5xx, never a hang."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalog.conftest import SCHEMA, Space
from tests.catalog.server import Reply, RunningCatalog

IDENTIFIER = {"namespace": ["raw"], "name": "t"}
VERSION = {
    "version-id": 1,
    "timestamp-ms": 1,
    "schema-id": 0,
    "summary": {},
    "representations": [{"type": "sql", "sql": "select 1", "dialect": "duckdb"}],
    "default-namespace": ["raw"],
}
SNAPSHOT = {
    "snapshot-id": 1,
    "sequence-number": 1,
    "timestamp-ms": 1,
    "manifest-list": "file:///x",
    "summary": {"operation": "append"},
}
#: Every operation with a body, and a body that it takes.
BODIES: dict[str, tuple[str, Any]] = {
    "namespace": ("/namespaces", {"namespace": ["x"], "properties": {"a": "1"}}),
    "properties": ("/namespaces/raw/properties", {"updates": {"a": "1"}, "removals": ["b"]}),
    "create": (
        "/namespaces/raw/tables",
        {
            "name": "new",
            "schema": SCHEMA,
            "location": "file:///x",
            "partition-spec": {"spec-id": 0, "fields": [{"name": "p", "transform": "day", "source-id": 2}]},
            "write-order": {"order-id": 1, "fields": [{"transform": "identity", "source-id": 1}]},
            "stage-create": False,
            "properties": {"format-version": "2"},
        },
    ),
    "register": ("/namespaces/raw/register", {"name": "r", "metadata-location": "file:///x", "overwrite": True}),
    "commit": (
        "/namespaces/raw/tables/t",
        {
            "identifier": IDENTIFIER,
            "requirements": [
                {"type": "assert-table-uuid", "uuid": "x"},
                {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None},
                {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 2},
            ],
            "updates": [
                {"action": "add-schema", "schema": SCHEMA, "last-column-id": 2},
                {"action": "set-current-schema", "schema-id": -1},
                {"action": "add-spec", "spec": {"spec-id": 1, "fields": []}},
                {"action": "set-default-spec", "spec-id": -1},
                {"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": []}},
                {"action": "set-default-sort-order", "sort-order-id": -1},
                {"action": "add-snapshot", "snapshot": SNAPSHOT},
                {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1},
                {"action": "remove-snapshots", "snapshot-ids": [1]},
                {"action": "remove-snapshot-ref", "ref-name": "main"},
                {"action": "set-location", "location": "file:///x"},
                {"action": "set-properties", "updates": {"a": "b"}},
                {"action": "remove-properties", "removals": ["a"]},
                {"action": "upgrade-format-version", "format-version": 2},
                {"action": "assign-uuid", "uuid": "x"},
                {
                    "action": "set-statistics",
                    "snapshot-id": 1,
                    "statistics": {
                        "snapshot-id": 1,
                        "statistics-path": "x",
                        "file-size-in-bytes": 1,
                        "file-footer-size-in-bytes": 1,
                        "blob-metadata": [],
                    },
                },
                {"action": "remove-statistics", "snapshot-id": 1},
                {"action": "remove-partition-specs", "spec-ids": [0]},
                {"action": "remove-schemas", "schema-ids": [0]},
                {
                    "action": "set-partition-statistics",
                    "partition-statistics": {"snapshot-id": 1, "statistics-path": "x", "file-size-in-bytes": 1},
                },
                {"action": "remove-partition-statistics", "snapshot-id": 1},
            ],
        },
    ),
    "transaction": (
        "/transactions/commit",
        {"table-changes": [{"identifier": IDENTIFIER, "requirements": [{"type": "assert-create"}], "updates": []}]},
    ),
    "rename": ("/tables/rename", {"source": IDENTIFIER, "destination": {"namespace": ["raw"], "name": "u"}}),
    "metrics": (
        "/namespaces/raw/tables/t/metrics",
        {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1, "filter": True, "metrics": {}},
    ),
    "view": ("/namespaces/raw/views", {"name": "v", "schema": SCHEMA, "view-version": VERSION, "properties": {}}),
    "replace": (
        "/namespaces/raw/views/v",
        {
            "identifier": {"namespace": ["raw"], "name": "v"},
            "requirements": [{"type": "assert-view-uuid", "uuid": "x"}],
            "updates": [
                {"action": "add-schema", "schema": SCHEMA, "last-column-id": 2},
                {"action": "add-view-version", "view-version": VERSION},
                {"action": "set-current-view-version", "view-version-id": -1},
                {"action": "set-properties", "updates": {"a": "b"}},
            ],
        },
    ),
    "rename view": ("/views/rename", {"source": IDENTIFIER, "destination": IDENTIFIER}),
}
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**200,
    1.5,
    1e308,
    "",
    "x",
    "\x00",
    "\ud800",
    "é" * 300,
    [],
    [[]],
    [None],
    {},
    {"": None},
    {"type": "struct"},
    {"type": "list", "element-id": 1, "element": "long", "element-required": "x"},
]


@pytest.fixture
def raw(space: Space) -> Space:
    space.make_namespace("raw")
    space.make_table("raw", "t")
    view = {"name": "v", "schema": SCHEMA, "view-version": VERSION, "properties": {}}
    assert space.send("POST", "/namespaces/raw/views", view).status == 200
    return space


def mutated(value: Any) -> Iterator[Any]:
    """The value with each of its parts once left out and once replaced by each piece of junk."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield {other: value[other] for other in value if other != key}
            for change in (*JUNK, *mutated(item)):
                yield {**value, key: change}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for change in (*JUNK, *mutated(item)):
                yield [*value[:index], change, *value[index + 1 :]]


def assert_shape(reply: Reply, about: object) -> None:
    """No failure of the server, and errors in the specification's shape."""
    assert reply.status < 500, (about, reply)
    if reply.status >= 400:
        error = reply.body["error"]
        assert set(error) >= {"message", "type", "code"}, about
        assert error["code"] == reply.status
        assert isinstance(error["message"], str)
        assert error["message"], about


class Client:
    """One kept-open connection, since these tests send thousands of requests."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._connection = http.client.HTTPConnection("127.0.0.1", space.server.port, timeout=30)
        self._token = space.server.token_of(space.owner)

    def post(self, path: str, data: bytes, method: str = "POST") -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, f"/api/catalog/v1/{self._space.catalog}{path}", data, headers)
        response = self._connection.getresponse()
        text = response.read()
        return Reply(response.status, json.loads(text) if text else None, {})

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("operation", BODIES)
def test_every_part_of_every_body_may_be_wrong(raw: Space, operation: str) -> None:
    path, body = BODIES[operation]
    with contextlib.closing(Client(raw)) as client:
        variants = [*JUNK, *mutated(body)]
        if operation == "commit":
            # Each update and requirement alone too: in the list above an earlier one may hide a later.
            for key in ("updates", "requirements"):
                for item in body[key]:
                    alone = {"identifier": IDENTIFIER, "requirements": [], "updates": [], key: [item]}
                    variants.append(alone)
                    variants += [{**alone, key: [change]} for change in mutated(item)]
        for variant in variants:
            text = json.dumps(variant)
            assert_shape(client.post(path, text.encode("utf-8", "surrogatepass")), text[:300])
    assert raw.send("GET", "/namespaces").status == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=12,
)
segments = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def fuzzed(server: RunningCatalog) -> Iterator[Client]:
    server.add_catalog("fuzz")
    space = Space(server, "fuzz", server.add_principal("fuzz", "fuzz", "CATALOG_MANAGE_CONTENT"))
    space.make_namespace("raw")
    space.make_table("raw", "t")
    client = Client(space)
    yield client
    client.close()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([path for path, _ in BODIES.values()]),
    data=json_values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")) | st.binary(max_size=60),
)
def test_any_body(fuzzed: Client, path: str, data: bytes) -> None:
    assert_shape(fuzzed.post(path, data), (path, data))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]),
    parts=st.lists(st.sampled_from(["namespaces", "raw", "tables", "t", "views"]) | segments, max_size=6),
    query=st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_any_path(fuzzed: Client, method: str, parts: list[str], query: str) -> None:
    from urllib.parse import quote

    path = "".join(f"/{quote(part, safe='')}" for part in parts)
    assert_shape(fuzzed.post(f"{path}?{quote(query)}", b"{}", method), path)


@pytest.mark.parametrize(
    "path",
    [
        "/%",
        "/%zz",
        "/%ff%fe",
        "/namespaces/%00",
        "/namespaces/%1F",
        "/namespaces/a%1F",
        "/namespaces//tables",
        "/namespaces/raw/tables/",
        "/namespaces/../../x",
        "/namespaces/raw?pageToken=%ff",
        "/namespaces?parent=%1F%1F",
        "/namespaces/" + "a" * 5000,
        "/namespaces/" + "%1F".join("a" * 200),
        "/namespaces?" + "&".join(f"k{number}=v" for number in range(2000)),
    ],
)
def test_odd_paths(space: Space, path: str) -> None:
    assert_shape(space.send("GET", path), path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/catalogs", {"catalog": {"name": "x", "type": "EXTERNAL", "storageConfigInfo": {"storageType": "FILE"}}}),
        (
            "/catalogs",
            {
                "catalog": {
                    "name": "x",
                    "properties": {"default-base-location": "file:///etc"},
                    "storageConfigInfo": {"storageType": "FILE", "allowedLocations": ["file:///etc"]},
                }
            },
        ),
        ("/principals", {"principal": {"name": "floe", "properties": {"a": "1"}}, "credentialRotationRequired": False}),
        ("/principal-roles", {"principalRole": {"name": "r", "properties": {}}}),
        ("/catalogs/fuzzed/catalog-roles", {"catalogRole": {"name": "r", "properties": {}}}),
        ("/principals/root/reset", {"clientId": "x"}),
    ],
)
def test_every_part_of_a_management_body_may_be_wrong(own_server: RunningCatalog, path: str, body: Any) -> None:
    own_server.add_catalog("fuzzed")
    token = own_server.root_token
    target = f"/api/management/v1{path}"
    for variant in [*JUNK, *mutated(body)]:
        raw = json.dumps(variant).encode("utf-8", "surrogatepass")
        reply = own_server.send("POST", target, raw=raw, token=token)
        assert reply.status < 500, (variant, reply)
        if reply.status == 200:
            return  # a reset that worked ends our own token
    listed = own_server.send("GET", "/api/management/v1/catalogs", token=token)
    assert [item["name"] for item in listed.body["catalogs"]] == ["fuzzed"] or path == "/catalogs"


def test_a_catalog_outside_the_warehouse_is_refused(server: RunningCatalog) -> None:
    for location in (
        "file:///etc",
        "file:///",
        "/",
        "file://otherhost/x",
        f"file://{server.warehouse}/../x",
        "s3://b/x",
        "",
    ):
        catalog = {
            "type": "INTERNAL",
            "name": "outside",
            "properties": {"default-base-location": location},
            "storageConfigInfo": {"storageType": "FILE", "allowedLocations": [location]},
        }
        reply = server.send("POST", "/api/management/v1/catalogs", {"catalog": catalog}, token=server.root_token)
        assert reply.status in (400, 403), (location, reply)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe\x00",
        b"NaN",
        b'{"namespace":["\\ud800"]}',
        b'"' + b"x" * 1000,
    ],
)
def test_text_that_is_no_json(space: Space, data: bytes) -> None:
    reply = space.send("POST", "/namespaces", raw=data)
    assert reply.status == 400, reply
    assert_shape(reply, data[:20])


def test_a_body_that_is_too_large_is_refused_before_it_is_read(space: Space) -> None:
    with socket.create_connection(("127.0.0.1", space.server.port), timeout=20) as connection:
        head = (
            f"POST /api/catalog/v1/{space.catalog}/namespaces HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {space.server.token_of(space.owner)}\r\nContent-Length: 10000000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"{")
        assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]


def test_an_endless_body_is_cut_off(space: Space) -> None:
    with socket.create_connection(("127.0.0.1", space.server.port), timeout=60) as connection:
        head = (
            f"POST /api/catalog/v1/{space.catalog}/namespaces HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {space.server.token_of(space.owner)}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(chunk)
        with contextlib.suppress(ConnectionError):
            assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]
    assert space.send("GET", "/namespaces").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/catalog/v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/catalog/v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 1e9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_bytes_that_are_no_http(server: RunningCatalog, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        answer = b""
        # OSError: the server may have hung up before the head was sent, and shutdown then says "not connected".
        with contextlib.suppress(OSError):
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(4096):
                answer += part
    status = answer.split(b" ")[1:2]
    assert not status or status[0].startswith(b"4"), answer[:200]
    assert server.send("GET", "/q/health/live").status == 200


def test_slow_clients_keep_nobody_waiting(space: Space) -> None:
    """A hundred clients that never finish their request: others are answered at once."""
    head = f"POST /api/catalog/v1/{space.catalog}/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(100):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", space.server.port), timeout=20))
            slow.sendall(head.encode() + (b"" if number % 2 else b"\r\n{"))
        started = time.monotonic()
        for _ in range(5):
            assert space.send("GET", "/namespaces", timeout=10).status == 200
        assert time.monotonic() - started < 5
