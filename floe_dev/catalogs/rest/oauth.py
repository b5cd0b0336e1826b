"""The token endpoint: OAuth2 client credentials, with RFC 6749's error bodies, which differ from Iceberg's."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qsl, unquote_plus

from floe_dev.catalogs.rest.access import ROLE_PREFIX, principal_of
from floe_dev.catalogs.rest.errors import ApiError
from floe_dev.catalogs.rest.http import Call, Reply
from floe_dev.catalogs.rest.server import Server
from floe_dev.catalogs.rest.tokens import Claims, hash_secret, mark_of, secret_matches

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105
_NOBODY = hash_secret("nobody")


def token(server: Server, call: Call) -> Reply:
    """POST /oauth/tokens."""
    try:
        form = dict(parse_qsl(call.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=32))
    except ValueError:
        return _refused(400, "invalid_request", "The form cannot be read")
    grant = form.get("grant_type")
    if grant is None:
        return _refused(400, "invalid_request", "The grant type is missing")
    if grant == TOKEN_EXCHANGE:
        return _exchange(server, form)
    if grant != "client_credentials":
        return _refused(400, "unsupported_grant_type", "The grant type is invalid")
    scope = form.get("scope", "")
    if not scope.split() or not all(part.startswith(ROLE_PREFIX) for part in scope.split()) or len(scope) > 1000:
        return _refused(400, "invalid_scope", "The scope is invalid")
    client_id, secret = _basic(call.headers.get("authorization", ""))
    client_id = form.get("client_id", client_id)
    secret = form.get("client_secret", secret)
    with server.database.read() as tx:
        row = tx.one("SELECT id, name, secret FROM floe_principals WHERE client_id = ?", client_id)
        if row is None and tx.one("SELECT 1 FROM floe_principals LIMIT 1") is None:
            raise ApiError(500, "IllegalStateException", "This server was never bootstrapped: it has no root principal")
    # Compared even when nobody has that id, so that the time taken does not tell.
    if not secret_matches(secret, row[2] if row else _NOBODY) or row is None:
        return _refused(401, "unauthorized_client", "The client is not authorized")
    return _issued(server, Claims(row[0], row[1], scope, mark_of(row[2])))


def _exchange(server: Server, form: dict[str, str]) -> Reply:
    """A fresh token for one that still holds: how Iceberg's Java clients stay signed in (RFC 8693)."""
    claims = server.signer.check(form.get("subject_token", ""))
    if claims is None or form.get("subject_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        return _refused(401, "unauthorized_client", "The client is not authorized")
    with server.database.read() as tx:
        try:
            principal_of(tx, claims)
        except ApiError:
            return _refused(401, "unauthorized_client", "The client is not authorized")
    return _issued(server, claims)


def _issued(server: Server, claims: Claims) -> Reply:
    content = {
        "access_token": server.signer.issue(claims),
        "token_type": "bearer",
        "issued_token_type": ACCESS_TOKEN,
        "expires_in": server.signer.seconds,
    }
    reply = Reply.json(content)
    return Reply(reply.status, reply.body, {"cache-control": "no-store"})


def _basic(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _refused(status: int, error: str, description: str) -> Reply:
    return Reply.json({"error": error, "error_description": description, "error_uri": None}, status)
