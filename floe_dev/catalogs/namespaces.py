"""The namespaces that a platform's layers name, in a catalog that floe did not make."""

from __future__ import annotations

from floe_dev.catalogs.client import CatalogClient
from floe_dev.catalogs.provision import with_parents
from floe_dev.model.connection import CatalogConnection


def missing_namespaces(connection: CatalogConnection, wanted: tuple[str, ...]) -> list[str]:
    """Those of `wanted` (and their parents) that are not there, parents first; nothing is changed."""
    with CatalogClient(connection) as client:
        known = {".".join(namespace) for namespace in client.namespaces()}
    return [namespace for namespace in with_parents(wanted) if namespace not in known]


def create_namespaces(connection: CatalogConnection, names: list[str]) -> None:
    """Make them, in order; raises FloeError 3002 where the principal may not."""
    with CatalogClient(connection) as client:
        for name in names:
            client.send("POST", "namespaces", {"namespace": name.split("."), "properties": {}})
