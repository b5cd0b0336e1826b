"""What every database holds from the start: the root principal and its role."""

from __future__ import annotations

from floe_dev.catalogs.rest.access import ROOT, SERVICE_ADMIN
from floe_dev.catalogs.rest.management.principals import insert
from floe_dev.catalogs.rest.server import Server, now_ms
from floe_dev.catalogs.rest.tokens import hash_secret, secret_matches


def bootstrap(server: Server) -> None:
    """Make root and its role, or bring root's credentials in line with the settings.

    Unlike Polaris, which keeps the first secret, the settings win unless they say otherwise: a project whose secrets
    file was lost heals itself.
    """
    client_id, secret = server.settings.root_client_id, server.settings.root_client_secret
    if not client_id:
        return
    with server.database.write() as tx:
        now = now_ms()
        tx.run(
            "INSERT INTO floe_principal_roles VALUES (?, '{}', ?, ?, 1) ON CONFLICT DO NOTHING", SERVICE_ADMIN, now, now
        )
        row = tx.one("SELECT client_id, secret FROM floe_principals WHERE name = ?", ROOT)
        if row is None:
            insert(tx, ROOT, client_id, secret, {})
        elif not server.settings.first_secret_wins and (row[0] != client_id or not secret_matches(secret, row[1])):
            tx.run(
                "UPDATE floe_principals SET client_id = ?, secret = ?, updated = ?, version = version + 1 "
                "WHERE name = ?",
                client_id,
                hash_secret(secret),
                now,
                ROOT,
            )
        tx.run(
            "INSERT INTO floe_principal_assignments SELECT id, ? FROM floe_principals WHERE name = ? "
            "ON CONFLICT DO NOTHING",
            SERVICE_ADMIN,
            ROOT,
        )
