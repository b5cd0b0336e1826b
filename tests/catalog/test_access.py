"""Who may do what: tokens, grants, other catalogs, and secrets at rest."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.catalog.conftest import SCHEMA, Space
from tests.catalog.server import Principal, RunningCatalog, start_catalog

READ = ("NAMESPACE_LIST", "NAMESPACE_READ_PROPERTIES", "TABLE_LIST", "TABLE_READ_PROPERTIES", "TABLE_READ_DATA")
PROPERTY = {"action": "set-properties", "updates": {"a": "1"}}
COMMIT = {"identifier": {"namespace": ["raw"], "name": "t"}, "requirements": [], "updates": [PROPERTY]}
RENAME = {"source": {"namespace": ["raw"], "name": "t"}, "destination": {"namespace": ["raw"], "name": "u"}}
VIEW = {
    "name": "v",
    "schema": SCHEMA,
    "properties": {},
    "view-version": {
        "version-id": 1,
        "timestamp-ms": 1,
        "schema-id": 0,
        "summary": {},
        "representations": [{"type": "sql", "sql": "select 1", "dialect": "duckdb"}],
        "default-namespace": ["raw"],
    },
}
READS: list[tuple[str, str, Any]] = [
    ("GET", "/namespaces", None),
    ("GET", "/namespaces/raw", None),
    ("GET", "/namespaces/raw/tables", None),
    ("GET", "/namespaces/raw/tables/t", None),
    ("HEAD", "/namespaces/raw/tables/t", None),
    ("GET", "/namespaces/raw/tables/t/credentials", None),
    ("POST", "/namespaces/raw/tables/t/metrics", {"report-type": "scan-report", "table-name": "t", "metrics": {}}),
]
WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/namespaces", {"namespace": ["x"]}),
    ("POST", "/namespaces/raw/properties", {"updates": {"a": "1"}}),
    ("DELETE", "/namespaces/empty", None),
    ("POST", "/namespaces/raw/tables", {"name": "x", "schema": SCHEMA}),
    ("POST", "/namespaces/raw/tables", {"name": "x", "schema": SCHEMA, "stage-create": True}),
    ("POST", "/namespaces/raw/tables/t", COMMIT),
    ("POST", "/transactions/commit", {"table-changes": [COMMIT]}),
    ("POST", "/tables/rename", RENAME),
    ("DELETE", "/namespaces/raw/tables/t", None),
    ("DELETE", "/namespaces/raw/tables/t?purgeRequested=true", None),
    ("POST", "/namespaces/raw/views", VIEW),
]


@pytest.fixture
def filled(space: Space) -> Space:
    space.make_namespace("raw")
    space.make_namespace("empty")
    space.make_table("raw", "t")
    return space


def status(space: Space, request: tuple[str, str, Any], token: str | None) -> int:
    method, path, body = request
    return space.send(method, path, body, token=token).status


def test_a_reader_reads_and_never_writes(filled: Space) -> None:
    token = filled.server.token_of(filled.add_principal("reader", *READ))
    register = {
        "name": "r",
        "metadata-location": filled.send("GET", "/namespaces/raw/tables/t").body["metadata-location"],
    }
    for request in READS:
        assert status(filled, request, token) < 300, request
    for request in [*WRITES, ("POST", "/namespaces/raw/register", register)]:
        assert status(filled, request, token) == 403, request
    assert filled.send("GET", "/namespaces/raw/views", token=token).status == 403


def test_nobody_without_a_token_gets_in(filled: Space) -> None:
    for request in [*READS, *WRITES]:
        assert status(filled, request, None) == 401, request
    reply = filled.send("GET", "/namespaces", token=None)
    assert reply.error == "NotAuthorizedException"


def test_the_owner_of_another_catalog_sees_nothing(filled: Space) -> None:
    server = filled.server
    other = f"other_{filled.catalog}"
    server.add_catalog(other)
    stranger = server.add_principal(f"stranger_{filled.catalog}", other, "CATALOG_MANAGE_CONTENT")
    token = server.token_of(stranger)
    for request in [*READS, *WRITES]:
        assert status(filled, request, token) in (403, 404), request
    assert server.send("GET", f"/api/catalog/v1/{other}/namespaces", token=token).body["namespaces"] == []
    reply = server.send("GET", f"/api/catalog/v1/config?warehouse={other}", token=token)
    assert reply.body["overrides"]["prefix"] == other


def test_grants_on_a_namespace_and_on_a_table_reach_no_further(filled: Space) -> None:
    filled.make_namespace("raw", "eu")
    filled.make_namespace("other")
    filled.make_table("raw%1Feu", "deep")
    filled.make_table("other", "t")
    filled.make_table("other", "hidden")
    principal = filled.add_principal("narrow")
    grants = f"/catalogs/{filled.catalog}/catalog-roles/narrow_{filled.catalog}_access/grants"
    for grant in (
        {"type": "namespace", "namespace": ["raw"], "privilege": "TABLE_READ_DATA"},
        {"type": "table", "namespace": ["other"], "tableName": "t", "privilege": "TABLE_WRITE_DATA"},
    ):
        filled.server.manage("PUT", grants, {"grant": grant})
    token = filled.server.token_of(principal)
    allowed = ["raw/tables/t", "raw%1Feu/tables/deep", "other/tables/t"]
    for path in allowed:
        assert filled.send("GET", f"/namespaces/{path}", token=token).status == 200, path
    assert filled.send("GET", "/namespaces/other/tables/hidden", token=token).status == 403
    commit = {**COMMIT, "identifier": {"namespace": ["other"], "name": "t"}}
    assert filled.send("POST", "/namespaces/other/tables/t", commit, token=token).status == 200
    assert filled.send("POST", "/namespaces/raw/tables/t", COMMIT, token=token).status == 403
    listed = filled.server.manage("GET", grants).body["grants"]
    assert {"type": "namespace", "namespace": ["raw"], "privilege": "TABLE_READ_DATA"} in listed
    filled.server.manage("POST", grants, {"grant": listed[0]})
    filled.server.manage("POST", grants, {"grant": listed[1]})
    for path in allowed:
        assert filled.send("GET", f"/namespaces/{path}", token=token).status == 403, path


def test_a_new_table_does_not_inherit_the_grants_of_a_dropped_one(filled: Space) -> None:
    principal = filled.add_principal("narrow")
    grants = f"/catalogs/{filled.catalog}/catalog-roles/narrow_{filled.catalog}_access/grants"
    grant = {"type": "table", "namespace": ["raw"], "tableName": "t", "privilege": "TABLE_READ_DATA"}
    filled.server.manage("PUT", grants, {"grant": grant})
    token = filled.server.token_of(principal)
    assert filled.send("GET", "/namespaces/raw/tables/t", token=token).status == 200
    assert filled.send("DELETE", "/namespaces/raw/tables/t").status == 204
    filled.make_table("raw", "t")
    assert filled.send("GET", "/namespaces/raw/tables/t", token=token).status == 403


def test_taking_a_role_away_works_at_once(filled: Space) -> None:
    principal = filled.add_principal("brief", *READ)
    token = filled.server.token_of(principal)
    assert filled.send("GET", "/namespaces/raw", token=token).status == 200
    role = f"/principals/{principal.name}/principal-roles/{principal.name}_role"
    filled.server.manage("DELETE", role)
    assert filled.send("GET", "/namespaces/raw", token=token).status in (403, 404)


def test_a_scope_narrows_a_token(filled: Space) -> None:
    owner, server = filled.owner, filled.server
    narrow = server.token(owner.client_id, owner.client_secret, "PRINCIPAL_ROLE:none_such")
    assert filled.send("GET", "/namespaces", token=narrow).status == 403
    right = server.token(owner.client_id, owner.client_secret, f"PRINCIPAL_ROLE:{owner.name}_role")
    assert filled.send("GET", "/namespaces", token=right).status == 200


def test_rotation_ends_the_old_secret_and_its_tokens(filled: Space) -> None:
    server, owner = filled.server, filled.owner
    old = server.token(owner.client_id, owner.client_secret)
    reply = server.send("POST", f"/api/management/v1/principals/{owner.name}/rotate", token=old)
    assert reply.status == 200, reply
    fresh = Principal(owner.name, reply.body["credentials"]["clientId"], reply.body["credentials"]["clientSecret"])
    assert fresh.client_secret != owner.client_secret
    form = {"grant_type": "client_credentials", "client_id": owner.client_id, "scope": "PRINCIPAL_ROLE:ALL"}
    denied = server.send("POST", "/api/catalog/v1/oauth/tokens", form={**form, "client_secret": owner.client_secret})
    assert denied.status == 401
    assert filled.send("GET", "/namespaces", token=old).status == 401
    token = server.token(fresh.client_id, fresh.client_secret)
    assert filled.send("GET", "/namespaces", token=token).status == 200


def test_root_resets_a_principal_and_a_deleted_one_is_out(filled: Space) -> None:
    server = filled.server
    principal = filled.add_principal("brief", *READ)
    path = f"/principals/{principal.name}"
    made = server.manage("POST", f"{path}/reset", {}).body["credentials"]
    token = server.token(made["clientId"], made["clientSecret"])
    assert filled.send("GET", "/namespaces", token=token).status == 200
    server.manage("DELETE", path)
    assert filled.send("GET", "/namespaces", token=token).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/catalogs", None),
        ("POST", "/catalogs", {"catalog": {"name": "x"}}),
        ("GET", "/principals", None),
        ("POST", "/principals", {"principal": {"name": "x"}}),
        ("POST", "/principal-roles", {"principalRole": {"name": "x"}}),
        ("POST", "/catalogs/{catalog}/catalog-roles", {"catalogRole": {"name": "x"}}),
        (
            "PUT",
            "/catalogs/{catalog}/catalog-roles/catalog_admin/grants",
            {"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}},
        ),
        ("DELETE", "/catalogs/{catalog}", None),
        ("POST", "/principals/root/rotate", None),
        ("POST", "/principals/root/reset", {}),
    ],
)
def test_a_content_manager_manages_no_access(filled: Space, method: str, path: str, body: Any) -> None:
    target = "/api/management/v1" + path.replace("{catalog}", filled.catalog)
    token = filled.server.token_of(filled.owner)
    assert filled.server.send(method, target, body, token=token).status == 403
    assert filled.server.send(method, target, body).status == 401


def forged(token: str) -> list[str]:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))

    def packed(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    root = packed({**claims, "sub": "root"})
    return [
        f"{header}.{root}.{signature}",
        f"{packed({'alg': 'none', 'typ': 'JWT'})}.{root}.",
        f"{packed({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        f"{payload}.{signature}",
        "",
        "..",
        "a.b.c",
        "é",
        token + "x",
        "x" * 8000,
    ]


def test_forged_tokens_are_refused(filled: Space) -> None:
    token = filled.server.token_of(filled.owner)
    for wrong in forged(token):
        headers = {"Authorization": f"Bearer {wrong}".encode("latin-1", "replace").decode("latin-1")}
        assert filled.send("GET", "/namespaces", token=None, headers=headers).status == 401, wrong
    for header in ("Basic cm9vdDpyb290", token, "Bearer", "bearer ", f"Token {token}"):
        assert filled.send("GET", "/namespaces", token=None, headers={"Authorization": header}).status == 401


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, None),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "PRINCIPAL_ROLE:ALL"}, None),
        ({"grant_type": "client_credentials", "client_id": "root", "client_secret": "x", "scope": "catalog"}, None),
    ],
)
def test_bad_token_requests_get_oauth_errors(server: RunningCatalog, form: dict[str, str], error: str | None) -> None:
    reply = server.send("POST", "/api/catalog/v1/oauth/tokens", form=form)
    assert reply.status in (400, 401), reply
    assert set(reply.body) >= {"error"}
    assert error is None or reply.body["error"] == error


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b"{}", b"grant_type", b"&&&", b"grant_type=client_credentials&" * 200, b"%"]
)
def test_malformed_token_requests_are_the_clients_fault(server: RunningCatalog, raw: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "x"):
        reply = server.send("POST", "/api/catalog/v1/oauth/tokens", raw=raw, headers={"Content-Type": kind})
        assert 400 <= reply.status < 500, reply


def test_no_secret_is_stored_in_clear(filled: Space) -> None:
    held = ("floe_principals", "floe_catalogs", "floe_principal_roles", "floe_catalog_roles", "floe_idempotency")
    dump = "\n".join(str(filled.server.rows(f"SELECT * FROM {table}")) for table in held)
    assert filled.owner.client_id in dump
    assert filled.owner.client_secret not in dump
    assert filled.server.root.client_secret.get_secret_value() not in dump
    assert filled.server.signing_key not in dump
    assert filled.owner.client_secret not in filled.server.log.read_text()


def test_tokens_and_tables_survive_a_crash(own_server: RunningCatalog) -> None:
    own_server.add_catalog("demo")
    owner = own_server.add_principal("owner", "demo", "CATALOG_MANAGE_CONTENT")
    space = Space(own_server, "demo", owner)
    space.make_namespace("raw")
    space.make_table("raw", "t")
    token = own_server.token_of(owner)
    own_server.kill()
    again = start_catalog(own_server.database.parent, root=own_server.root, signing_key=own_server.signing_key)
    try:
        reply = again.send("GET", "/api/catalog/v1/demo/namespaces/raw/tables/t", token=token)
        assert reply.status == 200, reply
    finally:
        again.stop()


def test_a_new_root_secret_at_start_is_either_kept_out_or_the_only_one(own_server: RunningCatalog) -> None:
    own_server.stop()
    changed = own_server.root.model_copy(update={"client_secret": type(own_server.root.client_secret)("another")})
    again = start_catalog(own_server.database.parent, root=changed, signing_key=own_server.signing_key)
    try:
        form = {"grant_type": "client_credentials", "client_id": "root", "scope": "PRINCIPAL_ROLE:ALL"}
        secrets = [root.client_secret.get_secret_value() for root in (own_server.root, changed)]
        path = "/api/catalog/v1/oauth/tokens"
        answers = [again.send("POST", path, form={**form, "client_secret": secret}).status for secret in secrets]
        assert sorted(answers) == [200, 401]
    finally:
        again.stop()


def test_a_token_is_exchanged_for_a_fresh_one_while_it_holds(filled: Space) -> None:
    server = filled.server
    principal = filled.add_principal("exchanging", *READ)
    old = server.token_of(principal)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": old,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    reply = server.send("POST", "/api/catalog/v1/oauth/tokens", form=form)
    assert reply.status == 200, reply
    assert reply.body["access_token"] != old
    assert filled.send("GET", "/namespaces", token=reply.body["access_token"]).status == 200
    server.manage("DELETE", f"/principals/{principal.name}")
    for wrong in (form, {**form, "subject_token": "x"}, {"grant_type": form["grant_type"]}):
        assert server.send("POST", "/api/catalog/v1/oauth/tokens", form=wrong).status == 401
