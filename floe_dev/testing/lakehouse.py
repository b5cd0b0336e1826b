"""One test's lakehouse: a catalog, or a namespace of the shared catalog, with a principal of its own."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from floe_dev.testing.admin import CATALOG, MANAGEMENT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.table import Table

    from floe_dev.model.connection import CatalogConnection
    from floe_dev.testing.stack import TestStack

Isolation = Literal["catalog", "namespace"]

#: The namespace a test's tables are in unless it says otherwise (isolation by catalog).
NAMESPACE = "test"
_SHARED = "floe_tests"
_ADMIN_ROLE = "catalog_admin"
_READER_ROLE = "floe_test_names"
_SEPARATOR = "\x1f"
_NOT_NAME = re.compile(r"\W+", re.ASCII)


@dataclass
class Lakehouse:
    """Where a test's tables live, and the principal that may touch nothing else."""

    catalog: str
    namespace: str
    principal: str
    isolation: Isolation
    connection: CatalogConnection
    stack: TestStack = field(repr=False)
    _base: str = field(repr=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @property
    def url(self) -> str:
        """The catalog's Iceberg REST address."""
        return self.connection.uri

    def environment(self) -> dict[str, str]:
        """The POLARIS_* variables for a program under test, secret included."""
        return self.connection.environment()

    def iceberg(self) -> RestCatalog:
        """A PyIceberg catalog as this lakehouse's principal."""
        from pyiceberg.catalog.rest import RestCatalog

        return RestCatalog("floe", **self.connection.pyiceberg_properties())

    def table(self, name: str) -> Table:
        """The table `name` of this lakehouse's namespace, or `namespace.name`, as PyIceberg loads it now."""
        table: Table = self.iceberg().load_table(name if "." in name else f"{self.namespace}.{name}")
        return table

    def duckdb(self) -> DuckDBPyConnection:
        """A new DuckDB connection with the catalog attached, closed with the lakehouse; raises FloeError 3002.

        Names without a schema are those of the lakehouse's namespace. Views made later need a new connection.
        """
        from floe_dev.compute.duckdb import connect
        from floe_dev.compute.views import identifier

        database = connect(self.connection)
        self._open.callback(database.close)
        own = f"{identifier(self.connection.alias)}.{identifier(self.namespace)}"
        row = database.execute("SELECT current_setting('search_path')").fetchone()
        path = f"{own},{row[0]}" if row and row[0] else own
        database.execute("SET search_path = '" + path.replace("'", "''") + "'")
        return database

    def close(self) -> None:
        """Close the DuckDB connections that are still open."""
        self._open.close()

    def drop(self) -> None:
        """Drop everything the lakehouse holds and its principal; what the test dropped itself is no error."""
        self.close()
        send, role = self.stack.admin.send, self.principal
        if self.isolation == "catalog":
            for namespace in self._namespaces(()):
                self._drop_namespace(namespace)
            send("DELETE", f"{MANAGEMENT}/catalogs/{self.catalog}", accept=(404,))
        else:
            for namespace in [(self.namespace,), *self._namespaces((self.namespace,))][::-1]:
                self._drop_namespace(namespace)
            send("DELETE", f"{MANAGEMENT}/catalogs/{self.catalog}/catalog-roles/{role}", accept=(404,))
        send("DELETE", f"{MANAGEMENT}/principals/{role}", accept=(404,))
        send("DELETE", f"{MANAGEMENT}/principal-roles/{role}", accept=(404,))
        folder = self._folder()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self) -> str:
        """Write its variables to a private file for looking at it later; how to do so, in a few lines."""
        folder = self.stack.folder / "kept"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"{self.principal}.env"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
            output.writelines(f"export {key}='{value}'\n" for key, value in self.environment().items())
        self.stack.keep()
        lines = [
            f"catalog `{self.catalog}`, namespace `{self.namespace}` at {self.url}",
            f"its credential: . {file}",
        ]
        if self.stack.pid is not None:
            lines.append(f"it runs until: kill {self.stack.pid} && rm -r {self.stack.folder}")
        return "\n".join(lines)

    def _namespaces(self, parent: tuple[str, ...]) -> list[tuple[str, ...]]:
        """All below `parent`, deepest first."""
        found: list[tuple[str, ...]] = []
        query = f"?parent={quote(_SEPARATOR.join(parent), safe='')}" if parent else ""
        path = f"{CATALOG}/{self.catalog}/namespaces{query}"
        for name in self.stack.admin.send("GET", path, accept=(404,)).get("namespaces") or ():
            found += [*self._namespaces(tuple(name)), tuple(name)]
        return found

    def _drop_namespace(self, namespace: tuple[str, ...]) -> None:
        send = self.stack.admin.send
        base = f"{CATALOG}/{self.catalog}/namespaces/{quote(_SEPARATOR.join(namespace), safe='')}"
        # Folders go at once where they are ours; elsewhere only the catalog can delete them.
        purge = "?purgeRequested=true" if self._folder() is None else ""
        for kind, query in (("tables", purge), ("views", "")):
            for item in send("GET", f"{base}/{kind}", accept=(404,)).get("identifiers") or ():
                send("DELETE", f"{base}/{kind}/{quote(item['name'], safe='')}{query}", accept=(404,))
        send("DELETE", base, accept=(404,))

    def _folder(self) -> Path | None:
        """Where its files are, if in the run's own folder."""
        parts = urlsplit(self._base)
        if self.stack.pid is None or parts.scheme != "file":
            return None
        folder = Path(url2pathname(parts.path))
        return folder / self.namespace if self.isolation == "namespace" else folder


def create_lakehouse(stack: TestStack, label: str, isolation: Isolation = "catalog") -> Lakehouse:
    """A new, empty lakehouse named after `label`; raises FloeError 3001 or 3002."""
    from pydantic import SecretStr

    from floe_dev.model.connection import CatalogConnection, Credential

    name = f"{_NOT_NAME.sub('_', label.lower()).strip('_')[:40]}_{secrets.token_hex(4)}"
    send = stack.admin.send
    if isolation == "catalog":
        catalog, namespace, roles = name, NAMESPACE, [_ADMIN_ROLE]
        base = _create_catalog(stack, name)
        _grant(stack, name, _ADMIN_ROLE, {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"})
        send("POST", f"{CATALOG}/{name}/namespaces", {"namespace": [namespace]})
    else:
        catalog, namespace, roles = _SHARED, name, [name, _READER_ROLE]
        base = _shared_catalog(stack)
        send("POST", f"{CATALOG}/{_SHARED}/namespaces", {"namespace": [name]})
        send("POST", f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles", {"catalogRole": {"name": name}})
        grant = {"type": "namespace", "namespace": [name], "privilege": "CATALOG_MANAGE_CONTENT"}
        _grant(stack, _SHARED, name, grant)
    made = send("POST", f"{MANAGEMENT}/principals", {"principal": {"name": name}})["credentials"]
    send("POST", f"{MANAGEMENT}/principal-roles", {"principalRole": {"name": name}})
    send("PUT", f"{MANAGEMENT}/principals/{name}/principal-roles", {"principalRole": {"name": name}})
    for role in roles:
        access = {"catalogRole": {"name": role}}
        send("PUT", f"{MANAGEMENT}/principal-roles/{name}/catalog-roles/{catalog}", access)
    credential = Credential(client_id=made["clientId"], client_secret=SecretStr(made["clientSecret"]))
    connection = CatalogConnection(uri=stack.root.uri, warehouse=catalog, credential=credential)
    return Lakehouse(catalog, namespace, name, isolation, connection, stack, base)


def _create_catalog(stack: TestStack, name: str) -> str:
    """The location of the catalog `name`, made if it is not there."""
    catalog = {
        "type": "INTERNAL",
        "name": name,
        "properties": {"polaris.config.drop-with-purge.enabled": "true"},
        "storageConfigInfo": {"storageType": "FILE", "allowedLocations": []},
    }
    path = f"{MANAGEMENT}/catalogs"
    made = stack.admin.send("POST", path, {"catalog": catalog}, accept=(409,))
    if "properties" not in made:
        made = stack.admin.send("GET", f"{path}/{name}")
    return str(made["properties"]["default-base-location"])


def _shared_catalog(stack: TestStack) -> str:
    """The location of the catalog whose namespaces tests get, made by whichever test is the first."""
    if stack.shared_location is None:
        base = _create_catalog(stack, _SHARED)
        roles = f"{MANAGEMENT}/catalogs/{_SHARED}/catalog-roles"
        stack.admin.send("POST", roles, {"catalogRole": {"name": _READER_ROLE}}, accept=(409,))
        # Clients list a catalog before they work in it. Others' data stays out of reach.
        for privilege in ("NAMESPACE_READ_PROPERTIES", "TABLE_LIST", "VIEW_READ_PROPERTIES"):
            _grant(stack, _SHARED, _READER_ROLE, {"type": "catalog", "privilege": privilege})
        stack.shared_location = base
    return stack.shared_location


def _grant(stack: TestStack, catalog: str, role: str, grant: dict[str, Any]) -> None:
    path = f"{MANAGEMENT}/catalogs/{catalog}/catalog-roles/{role}/grants"
    stack.admin.send("PUT", path, {"grant": grant})
