"""A failed test's capsule: what its lakehouses hold, what their runs said, what the catalog logged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.capsule import form
from floe_dev.capsule.create import add_files, add_surroundings, add_tables
from floe_dev.capsule.scrub import Scrubber
from floe_dev.capsule.writer import CapsuleWriter, each

if TYPE_CHECKING:
    from floe_dev.model.tables import TableInfo
    from floe_dev.testing.lakehouse import Lakehouse

_NOT_NAME = re.compile(r"\W+", re.ASCII)


def test_capsule(folder: Path, limit: int, node: str, why: str, lakehouses: Sequence[Lakehouse]) -> str:
    """Write the capsule of a failed test; the lines that say where it is, or why there is none."""
    name = _NOT_NAME.sub("-", node).strip("-")[-120:]
    try:
        file = _write(folder / f"{name}-{lakehouses[0].principal[-8:]}.zip", limit, node, why, lakehouses)
    except Exception as error:  # noqa: BLE001 - the test's own failure must be what is told
        return f"no capsule could be written: {type(error).__name__}: {error}"
    return f"capsule: {file}\nopen it with: floe open {file}"


test_capsule.__test__ = False  # type: ignore[attr-defined] # pytest collects what is called so


def _write(file: Path, limit: int, node: str, why: str, lakehouses: Sequence[Lakehouse]) -> Path:
    own = lakehouses[0]
    with CapsuleWriter(file, Scrubber(_secrets(lakehouses)), limit) as writer:
        writer.text(form.ERROR, f"{node}\n\n{why}\n")
        add_surroundings(writer)
        for lakehouse in lakehouses:
            add_files(writer, lakehouse.recording.layout)
        log = own.stack.folder / "catalog.log"
        if log.is_file():
            each(writer, "catalog.log", lambda: writer.log(".floe/logs/catalog.log", log))
        tables: list[TableInfo] = []
        for lakehouse in lakehouses:
            tables += (
                each(writer, f"tables of {lakehouse.catalog}", lambda lakehouse=lakehouse: _tables(lakehouse)) or []
            )
        add_tables(writer, tables)
        return writer.finish(
            kind="test",
            title=f"{node}: {_last_line(why)}",
            project=node.partition("::")[0] or node,
            stack=own.stack.name,
            details={"node": node, "lakehouses": [[one.catalog, one.namespace, one.isolation] for one in lakehouses]},
        )


def _tables(lakehouse: Lakehouse) -> list[TableInfo]:
    from floe_dev.catalogs.client import CatalogClient

    with CatalogClient(lakehouse.connection) as client:
        return client.tables()


def _secrets(lakehouses: Sequence[Lakehouse]) -> list[str]:
    connections = [connection for one in lakehouses for connection in (one.connection, one.stack.root)]
    return [connection.credential.client_secret.get_secret_value() for connection in connections]


def _last_line(why: str) -> str:
    """The line of pytest's report that says what went wrong: the first one it marks with E."""
    marked = [line[1:].strip() for line in why.splitlines() if line.startswith("E ")]
    return marked[0] if marked else (why.strip().splitlines() or ["it failed"])[-1]
