"""One test's lakehouse: a catalog, or a namespace of the shared catalog, with a principal of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote

from floe_dev.testing.admin import CATALOG, Ask

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.table import Table

    from floe_dev.model.connection import CatalogConnection
    from floe_dev.testing.checkpoints import Checkpoint
    from floe_dev.testing.recording import Recording
    from floe_dev.testing.stack import TestStack

Isolation = Literal["catalog", "namespace", "stack"]

#: The namespace a test's tables are in unless it says otherwise (isolation by catalog).
NAMESPACE = "test"
_SEPARATOR = "\x1f"
#: What is asked for may be gone: a test may drop what is its own.
_GONE = (404,)


class Holding(NamedTuple):
    """One namespace and the names of what is in it."""

    namespace: tuple[str, ...]
    tables: tuple[str, ...]
    views: tuple[str, ...]


@dataclass
class Lakehouse:
    """Where a test's tables live, and the principal that may touch nothing else."""

    catalog: str
    namespace: str
    principal: str
    isolation: Isolation
    connection: CatalogConnection
    stack: TestStack = field(repr=False)
    recording: Recording = field(repr=False)
    #: The catalog's location, such as `file:///tmp/…`.
    base: str = field(repr=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @property
    def url(self) -> str:
        """The catalog's Iceberg REST address."""
        return self.connection.uri

    @property
    def folder(self) -> Path:
        """The test's own folder for what its runs leave: dbt's target, spans, logs."""
        return self.recording.layout.root

    def environment(self) -> dict[str, str]:
        """The POLARIS_* variables for a program under test, secret included."""
        return self.connection.environment()

    def iceberg(self) -> RestCatalog:
        """A PyIceberg catalog as this lakehouse's principal."""
        from floe_dev.catalogs.traced import traced_catalog

        return traced_catalog(self.connection)

    def table(self, name: str) -> Table:
        """The table `name` of this lakehouse's namespace, or `namespace.name`, as PyIceberg loads it now."""
        table: Table = self.iceberg().load_table(name if "." in name else f"{self.namespace}.{name}")
        return table

    def write(self, name: str, rows: Any) -> Table:
        """Make a table of this lakehouse's namespace from rows, an Arrow table, or a Parquet, CSV or JSON file's path.

        A table that is there is replaced by one commit. Raises TypeError for anything else.
        """
        from floe_dev.testing.inputs import as_arrow

        content, catalog = as_arrow(rows), self.iceberg()
        identifier = name if "." in name else f"{self.namespace}.{name}"
        if not catalog.table_exists(identifier):
            space = identifier.rpartition(".")[0]
            if space != self.namespace and not catalog.namespace_exists(space):
                catalog.create_namespace(space)
            table: Table = catalog.create_table(identifier, schema=content.schema)
            table.append(content)
            return table
        table = catalog.load_table(identifier)
        table.overwrite(content)
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

    def snapshot(self) -> Checkpoint:
        """The state of every table now, for `rollback`; reads metadata only."""
        from floe_dev.testing.checkpoints import take

        return take(self)

    def rollback(self, to: Checkpoint) -> None:
        """Make every table what it was at `to`, in one commit; newer tables are dropped, dropped ones come back."""
        from floe_dev.testing.checkpoints import restore

        restore(self, to)

    def close(self) -> None:
        """Close the DuckDB connections that are still open."""
        self._open.close()

    def drop(self) -> None:
        """Drop everything the lakehouse holds and its principal; what the test dropped itself is no error."""
        from floe_dev.testing.provisioning import drop_lakehouse

        self.close()
        drop_lakehouse(self)

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

    def holdings(self) -> list[Holding]:
        """What every namespace of this lakehouse holds, deepest first; views only where they are, not what they say."""
        send, found = self.stack.admin.together, []
        # With the first look all namespaces of a catalog of one's own; nearly every test has one, so nothing follows.
        first = (
            [] if self.isolation == "namespace" else [Ask("GET", f"{CATALOG}/{self.catalog}/namespaces", None, _GONE)]
        )
        level = [(self.namespace,)]
        while level:
            answers = send([*first, *(look for space in level for look in self._looks(space))])
            beside = [tuple(name) for answer in answers[: len(first)] for name in answer.get("namespaces") or ()]
            following = [space for space in beside if space not in level]
            for number, space in enumerate(level):
                below, tables, views = answers[len(first) + 3 * number :][:3]
                if "namespaces" in below:
                    found.append(Holding(space, _names(tables), _names(views)))
                    following += [tuple(name) for name in below["namespaces"]]
            level, first = following, []
        return sorted(found, key=lambda holding: len(holding.namespace), reverse=True)

    def _looks(self, space: tuple[str, ...]) -> list[Ask]:
        """Requests for the namespaces below, the tables and the views of a namespace that may be gone."""
        parent = quote(_SEPARATOR.join(space), safe="")
        return [
            Ask("GET", f"{CATALOG}/{self.catalog}/namespaces?parent={parent}", None, _GONE),
            Ask("GET", f"{self.path(space)}/tables", None, _GONE),
            Ask("GET", f"{self.path(space)}/views", None, _GONE),
        ]

    def load(self, tables: Iterable[tuple[tuple[str, ...], str]]) -> list[Mapping[str, Any]]:
        """Tables' metadata as the catalog tells it, by namespace and name; raises FloeError 3002 where one is not."""
        asks = [Ask("GET", f"{self.path(namespace)}/tables/{quote(name, safe='')}") for namespace, name in tables]
        return [answer["metadata"] for answer in self.stack.admin.together(asks)]

    def path(self, namespace: tuple[str, ...]) -> str:
        """Where the server has a namespace."""
        return f"{CATALOG}/{self.catalog}/namespaces/{quote(_SEPARATOR.join(namespace), safe='')}"


def _names(listed: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(item["name"]) for item in listed.get("identifiers") or ())
