"""The configuration endpoint: which catalog a client works in, and what this server can do."""

from __future__ import annotations

from floe_dev.catalogs.rest.access import access_to
from floe_dev.catalogs.rest.errors import bad_request, not_found
from floe_dev.catalogs.rest.http import Call, Reply
from floe_dev.catalogs.rest.server import Server, warehouse_named


def get_config(server: Server, call: Call, endpoints: list[str]) -> Reply:
    """GET /config?warehouse=name."""
    name = call.query.get("warehouse", "")
    with server.database.read() as tx:
        principal = server.principal(tx, call)
        if not name:
            raise bad_request("Please specify a warehouse")
        warehouse = warehouse_named(tx, name)
        if warehouse is None or access_to(tx, principal, name) is None:
            raise not_found(f"Unable to find warehouse {name}")
    minutes = server.settings.limits.idempotency_seconds // 60
    return Reply.json(
        {
            "defaults": warehouse.properties,
            "overrides": {"prefix": _escaped(name), "namespace-separator": "%1F"},
            "endpoints": endpoints,
            "idempotency-key-lifetime": f"PT{minutes}M",
        }
    )


def _escaped(name: str) -> str:
    # Clients put the prefix into URLs as it is.
    from urllib.parse import quote

    return quote(name, safe="")
