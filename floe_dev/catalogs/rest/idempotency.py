"""Idempotency-Key: a repeated change answers what the first one answered, and happens once.

The record is written in the transaction of the change itself, so one never exists without the other. Finalized are
successes and refusals that a repetition could not turn round; 401, 408, 429 and server errors are not.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable

from floe_dev.catalogs.rest.errors import ApiError, bad_request, unprocessable
from floe_dev.catalogs.rest.http import Call, Reply
from floe_dev.catalogs.rest.server import Server

HEADER = "idempotency-key"
NOT_FINAL = {401, 408, 429}


def once(server: Server, call: Call, handler: Callable[[Server, Call], Reply]) -> Reply:
    """Run a change, or answer as its first run did."""
    text = call.headers.get(HEADER)
    if text is None:
        return handler(server, call)
    key = _key(text)
    request = _digest(call)
    now = int(time.time())
    with server.database.write() as tx:
        principal = server.principal(tx, call)
        tx.run("DELETE FROM floe_idempotency WHERE created < ?", now - server.settings.limits.idempotency_seconds)
        known = tx.one(
            "SELECT request, status, body FROM floe_idempotency WHERE principal_id = ? AND key = ?", principal.id, key
        )
        if known is not None:
            if known[0] != request:
                raise unprocessable("This Idempotency-Key was used for another request")
            return Reply(known[1], known[2])
        try:
            reply = handler(server, call)
        except ApiError as error:
            if error.status >= 500 or error.status in NOT_FINAL:
                raise
            reply = Reply(error.status, error.body())
        values = (principal.id, key, request, reply.status, reply.body, now)
        tx.run("INSERT INTO floe_idempotency VALUES (?, ?, ?, ?, ?, ?)", *values)
    return reply


def _key(text: str) -> str:
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != text.lower():
        raise bad_request("Idempotency-Key must be a UUID in its 36-character form")
    return str(parsed)


def _digest(call: Call) -> str:
    digest = hashlib.sha256()
    for piece in (call.method, call.url, repr(sorted(call.query.items()))):
        digest.update(piece.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(call.body)
    return digest.hexdigest()
