"""Principals and their credentials."""

from __future__ import annotations

import json
from typing import Any

from floe_dev.catalogs.rest import names
from floe_dev.catalogs.rest.access import ROOT, refused
from floe_dev.catalogs.rest.database import Row, Transaction
from floe_dev.catalogs.rest.errors import bad_request
from floe_dev.catalogs.rest.http import NO_CONTENT, Call, Reply
from floe_dev.catalogs.rest.management import entities
from floe_dev.catalogs.rest.namespaces import string_map
from floe_dev.catalogs.rest.server import Server, now_ms
from floe_dev.catalogs.rest.tokens import hash_secret, new_client_id, new_secret

COLUMNS = "name, client_id, properties, created, updated, version"


def show(row: Row) -> dict[str, Any]:
    """A principal as the API shows it."""
    name, client_id, properties, *rest = row
    return {
        "name": name,
        "clientId": client_id,
        "properties": json.loads(properties),
        **entities.times(*rest),
    }


def get_row(tx: Transaction, name: str) -> Row:
    """The row of a principal; 404."""
    row = tx.one(f"SELECT {COLUMNS} FROM floe_principals WHERE name = ?", name)  # noqa: S608
    if row is None:
        raise entities.missing("PRINCIPAL", name)
    return row


def list_principals(server: Server, call: Call) -> Reply:
    """GET /principals."""
    with entities.admin_reading(server, call, "LIST_PRINCIPALS") as tx:
        rows = tx.all(f"SELECT {COLUMNS} FROM floe_principals ORDER BY name")  # noqa: S608
    return Reply.json({"principals": [show(row) for row in rows]})


def get_principal(server: Server, call: Call) -> Reply:
    """GET /principals/{principal}."""
    with entities.admin_reading(server, call, "GET_PRINCIPAL") as tx:
        return Reply.json(show(get_row(tx, call.path["principal"])))


def create_principal(server: Server, call: Call) -> Reply:
    """POST /principals; the answer is the only place its secret is ever seen."""
    body = call.json()
    with entities.admin_writing(server, call, "CREATE_PRINCIPAL") as tx:
        principal = entities.part(body, "principal")
        name, properties = entities.named(principal, "principal")
        if tx.one("SELECT 1 FROM floe_principals WHERE name = ?", name):
            raise entities.taken("Principal", name)
        client_id = principal.get("clientId")
        client_id = new_client_id() if client_id is None else names.check_name(client_id, "clientId")
        if tx.one("SELECT 1 FROM floe_principals WHERE client_id = ?", client_id):
            raise entities.taken("Principal", name)
        secret = new_secret()
        insert(tx, name, client_id, secret, properties)
        row = get_row(tx, name)
    return Reply.json(_with_credentials(row, secret), 201)


def insert(tx: Transaction, name: str, client_id: str, secret: str, properties: dict[str, str]) -> None:
    """Enter a principal with a hashed secret."""
    now = now_ms()
    tx.run(
        "INSERT INTO floe_principals (name, client_id, secret, properties, created, updated, version) "
        "VALUES (?, ?, ?, ?, ?, ?, 1)",
        name,
        client_id,
        hash_secret(secret),
        entities.dump(properties),
        now,
        now,
    )


def _with_credentials(row: Row, secret: str) -> dict[str, Any]:
    shown = show(row)
    return {"principal": shown, "credentials": {"clientId": shown["clientId"], "clientSecret": secret}}


def update_principal(server: Server, call: Call) -> Reply:
    """PUT /principals/{principal}."""
    body = call.json()
    name = call.path["principal"]
    with entities.admin_writing(server, call, "UPDATE_PRINCIPAL") as tx:
        entities.demand_version(body, get_row(tx, name)[-1], f"principal {name}")
        tx.run(
            "UPDATE floe_principals SET properties = ?, updated = ?, version = version + 1 WHERE name = ?",
            entities.dump(string_map(body.get("properties"), "properties")),
            now_ms(),
            name,
        )
        row = get_row(tx, name)
    return Reply.json(show(row))


def delete_principal(server: Server, call: Call) -> Reply:
    """DELETE /principals/{principal}; its tokens are worthless from now on."""
    name = call.path["principal"]
    with entities.admin_writing(server, call, "DELETE_PRINCIPAL") as tx:
        get_row(tx, name)
        if name == ROOT:
            raise bad_request("The root principal cannot be deleted")
        tx.run("DELETE FROM floe_principals WHERE name = ?", name)
    return NO_CONTENT


def rotate(server: Server, call: Call) -> Reply:
    """POST /principals/{principal}/rotate: a principal's own new secret; an administrator resets instead."""
    name = call.path["principal"]
    with server.database.write() as tx:
        principal = server.principal(tx, call)
        if principal.name != name:
            get_row(tx, name)
            raise refused(principal, "ROTATE_CREDENTIALS")
        row, secret = _renew(tx, name, None, new_secret())
    return Reply.json(_with_credentials(row, secret))


def reset(server: Server, call: Call) -> Reply:
    """POST /principals/{principal}/reset: an administrator gives new credentials, or sets the ones named."""
    body = call.json() if call.body.strip() else {}
    name = call.path["principal"]
    with entities.admin_writing(server, call, "RESET_CREDENTIALS") as tx:
        get_row(tx, name)
        client_id, secret = body.get("clientId"), body.get("clientSecret")
        if client_id is not None:
            names.check_name(client_id, "clientId")
            if tx.one("SELECT 1 FROM floe_principals WHERE client_id = ? AND name <> ?", client_id, name):
                raise bad_request("clientId is in use")
        if secret is not None and (not isinstance(secret, str) or not 16 <= len(secret) <= 512):
            raise bad_request("clientSecret must have 16 to 512 characters")
        row, secret = _renew(tx, name, client_id, secret or new_secret())
    return Reply.json(_with_credentials(row, secret))


def _renew(tx: Transaction, name: str, client_id: str | None, secret: str) -> tuple[Row, str]:
    tx.run(
        "UPDATE floe_principals SET client_id = coalesce(?, client_id), secret = ?, updated = ?, version = version + 1 "
        "WHERE name = ?",
        client_id,
        hash_secret(secret),
        now_ms(),
        name,
    )
    return get_row(tx, name), secret
