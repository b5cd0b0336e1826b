"""Templates: tables built once a session, of which each test gets a copy that costs one commit.

Whoever needs a template first builds it, under a file lock, into a catalog of its own; the other workers read its
metadata from a file. A copy refers to the same data files from entries of its own (see `copies`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev.testing.admin import CATALOG, Ask
from floe_dev.testing.copies import create_change

if TYPE_CHECKING:
    from floe_dev.testing.lakehouse import Lakehouse
    from floe_dev.testing.stack import TestStack


@dataclass(frozen=True)
class Template:
    """Tables to copy: (namespace, name, metadata) each, the namespace below the template's own."""

    name: str
    tables: tuple[tuple[tuple[str, ...], str, Mapping[str, Any]], ...] = field(repr=False)
    #: The catalog that holds the originals, its principal, and where it keeps files.
    catalog: str
    principal: str
    base: str

    def copy_into(self, lakehouse: Lakehouse) -> None:
        """Enter the tables into an empty lakehouse, in one commit; raises FloeError 3002."""
        changes = []
        spaces = {space[:end] for space, _, _ in self.tables for end in range(1, len(space) + 1)}
        asks = [
            Ask("POST", f"{CATALOG}/{lakehouse.catalog}/namespaces", {"namespace": _inside(lakehouse, space)}, (409,))
            for space in sorted(spaces)
        ]
        for namespace, name, metadata in self.tables:
            own = _inside(lakehouse, namespace)
            location = "/".join((lakehouse.base.rstrip("/"), *own, name))
            changes.append(create_change(metadata, own, name, location))
        if changes:
            asks.append(Ask("POST", f"{CATALOG}/{lakehouse.catalog}/transactions/commit", {"table-changes": changes}))
        lakehouse.stack.admin.together(asks)


def _inside(lakehouse: Lakehouse, namespace: tuple[str, ...]) -> tuple[str, ...]:
    """Where a namespace of the template is in the copy: () is the lakehouse's own namespace."""
    if not namespace:
        return (lakehouse.namespace,)
    # Other namespaces keep their names in a catalog of one's own; in a shared one they are below one's own.
    return (lakehouse.namespace, *namespace) if lakehouse.isolation == "namespace" else namespace


def prepared(stack: TestStack, name: str, build: Callable[[Lakehouse], object], identity: str) -> Template:
    """The template `name`, built by `build` unless this or another process has done so.

    Raises what `build` raises; the next test that needs it tries again.
    """
    folder = stack.folder / "templates"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.json"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(file, name, stack.identity)
        if known is None:
            known = _build(stack, name, build)
            tables = [[list(namespace), table, metadata] for namespace, table, metadata in known.tables]
            unfinished = file.with_suffix(".part")
            made = {"catalog": known.catalog, "principal": known.principal, "base": known.base}
            unfinished.write_text(json.dumps({"stack": stack.identity, "tables": tables, **made}))
            unfinished.rename(file)
    return known


def _read(file: Path, name: str, identity: str) -> Template | None:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    if content["stack"] != identity:
        return None  # that catalog has ended, and its tables with it
    tables = tuple((tuple(space), table, metadata) for space, table, metadata in content["tables"])
    return Template(name, tables, content["catalog"], content["principal"], content["base"])


def _build(stack: TestStack, name: str, build: Callable[[Lakehouse], object]) -> Template:
    from floe_dev.testing.provisioning import create_lakehouse

    # Never dropped by itself: copies need its files until the session's catalog ends.
    lakehouse = create_lakehouse(stack, f"template_{name}", "catalog", template=True)
    try:
        build(lakehouse)
        found = [(holding.namespace, table) for holding in lakehouse.holdings() for table in holding.tables]
        tables = tuple(
            (() if namespace == (lakehouse.namespace,) else namespace, table, metadata)
            for (namespace, table), metadata in zip(found, lakehouse.load(found), strict=True)
        )
    except BaseException:
        lakehouse.drop()
        raise
    finally:
        lakehouse.close()
    return Template(name, tables, lakehouse.catalog, lakehouse.principal, lakehouse.base)


def drop_all(stack: TestStack) -> None:
    """Drop what templates made in a catalog that goes on without us; what is gone already is no error."""
    from floe_dev.testing.lakehouse import NAMESPACE, Lakehouse
    from floe_dev.testing.recording import Recording

    for file in sorted((stack.folder / "templates").glob("*.json")):
        known = _read(file, file.stem, stack.identity)
        file.unlink()
        if known is not None:
            recording = Recording(stack.folder / "tests" / known.principal)
            place = (known.catalog, NAMESPACE, known.principal)
            Lakehouse(*place, "catalog", stack.root, stack, recording, known.base).drop()
