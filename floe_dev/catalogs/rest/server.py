"""What all handlers share: the database, the files, tokens, and who asks for what in which catalog."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from floe_dev.catalogs.rest import names
from floe_dev.catalogs.rest.access import Access, Principal, access_to, principal_of
from floe_dev.catalogs.rest.counters import Counters
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.databases import open_database
from floe_dev.catalogs.rest.errors import no_namespace, unauthorized
from floe_dev.catalogs.rest.folders import Folders
from floe_dev.catalogs.rest.http import Call
from floe_dev.catalogs.rest.metadata import MetadataFiles
from floe_dev.catalogs.rest.settings import Settings
from floe_dev.catalogs.rest.tokens import TokenSigner
from floe_dev.catalogs.rest.vending import Vending


@dataclass(frozen=True)
class Warehouse:
    """One catalog as the REST endpoints need it: its name is the prefix."""

    name: str
    properties: dict[str, str]
    base: str
    allowed: tuple[str, ...]
    #: Its `storageConfigInfo`.
    storage: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A call by a principal with rights in a warehouse, inside a transaction."""

    call: Call
    tx: Transaction
    principal: Principal
    warehouse: Warehouse
    access: Access

    @property
    def namespace(self) -> names.Namespace:
        """The namespace of the path."""
        return names.namespace_from_url(self.call.path["namespace"])


class Server:
    """The parts of one running catalog server."""

    def __init__(self, settings: Settings) -> None:
        """Opens the database."""
        self.settings = settings
        self.database = open_database(settings.database)
        self.folders = Folders(settings.store)
        self.files = MetadataFiles(self.folders)
        self.vending = Vending(self.folders)
        self.counters = Counters()
        self.signer = TokenSigner(settings.signing_key, settings.limits.token_seconds)

    def principal(self, tx: Transaction, call: Call) -> Principal:
        """The principal of the bearer token; 401 without one."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("A bearer token is required")
        claims = self.signer.check(token.strip())
        if claims is None:
            raise unauthorized("The token is not valid, or has expired")
        return principal_of(tx, claims)

    @contextmanager
    def reading(self, call: Call) -> Iterator[Request]:
        """Serve a catalog request that changes nothing."""
        with self.database.read() as tx:
            yield self._request(tx, call)

    @contextmanager
    def writing(self, call: Call) -> Iterator[Request]:
        """Serve a catalog request that changes something."""
        with self.database.write() as tx:
            yield self._request(tx, call)

    def _request(self, tx: Transaction, call: Call) -> Request:
        principal = self.principal(tx, call)
        warehouse = warehouse_named(tx, call.path["prefix"])
        access = access_to(tx, principal, warehouse.name) if warehouse else None
        if warehouse is None or access is None:
            # Polaris's answer for a catalog that is not there; a stranger learns no more than that.
            raise no_namespace("''")
        self.folders.learn(warehouse.allowed, warehouse.storage)
        return Request(call, tx, principal, warehouse, access)


def warehouse_named(tx: Transaction, name: str) -> Warehouse | None:
    """The catalog of that name, or None."""
    row = tx.one("SELECT properties, storage FROM floe_catalogs WHERE name = ?", name)
    if row is None:
        return None
    properties = json.loads(row[0])
    storage = json.loads(row[1])
    base = properties["default-base-location"]
    return Warehouse(name, properties, base, tuple(storage["allowedLocations"]), storage)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
