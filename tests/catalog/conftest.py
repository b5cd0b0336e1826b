"""Catalog servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.catalog.server import Principal, Reply, RunningCatalog, catalog_server
from tests.postgresql import PostgresqlServer, postgresql_server

#: A schema that a create request can carry.
SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "id", "required": False, "type": "long"},
        {"id": 2, "name": "day", "required": False, "type": "date"},
    ],
}


@dataclass(frozen=True)
class Space:
    """A catalog of one test's own on the shared server, with a principal that manages its content."""

    server: RunningCatalog
    catalog: str
    owner: Principal

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """A request below the catalog's prefix, as its owner unless a token is given."""
        options.setdefault("token", self.server.token_of(self.owner))
        return self.server.send(method, f"/api/catalog/v1/{self.catalog}{path}", body, **options)

    def make_namespace(self, *levels: str) -> None:
        """A namespace, which has to be new."""
        reply = self.send("POST", "/namespaces", {"namespace": list(levels)})
        assert reply.status == 200, reply

    def make_table(self, namespace: str, name: str, **parts: Any) -> Any:
        """A table; the LoadTableResult."""
        reply = self.send("POST", f"/namespaces/{namespace}/tables", {"name": name, "schema": SCHEMA, **parts})
        assert reply.status == 200, reply
        return reply.body

    def add_principal(self, kind: str, *privileges: str) -> Principal:
        """Another principal on the same catalog."""
        return self.server.add_principal(f"{kind}_{self.catalog}", self.catalog, *privileges)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    """One PostgreSQL for all tests of a worker."""
    with postgresql_server(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalog]:
    """One server for all tests of a worker that do not stop it: on SQLite, and as two workers on PostgreSQL."""
    if request.param == "sqlite":
        with catalog_server(tmp_path_factory.mktemp("catalog")) as running:
            yield running
        return
    database: PostgresqlServer = request.getfixturevalue("postgresql")
    with catalog_server(
        tmp_path_factory.mktemp("catalog"),
        environment={"PGPASSWORD": database.password},
        database=database.make_database(),
        workers=2,
    ) as running:
        yield running


@pytest.fixture
def space(server: RunningCatalog) -> Space:
    """A catalog of the test's own."""
    name = f"c_{uuid4().hex[:10]}"
    server.add_catalog(name)
    return Space(server, name, server.add_principal(f"owner_{name}", name, "CATALOG_MANAGE_CONTENT"))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RunningCatalog]:
    """A server that the test may stop, kill or overload."""
    with catalog_server(tmp_path) as running:
        yield running
