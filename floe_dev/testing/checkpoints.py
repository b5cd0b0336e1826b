"""`lakehouse.snapshot()` and `lakehouse.rollback()`: the state of all of a lakehouse's tables, and back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from floe_dev.testing.admin import CATALOG, Ask
from floe_dev.testing.copies import create_change, restore_change

if TYPE_CHECKING:
    from floe_dev.testing.lakehouse import Lakehouse

Identifier = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class Checkpoint:
    """Each table's metadata at one moment, and the namespaces that were there."""

    namespaces: tuple[tuple[str, ...], ...]
    tables: Mapping[Identifier, Mapping[str, Any]] = field(repr=False)


def take(lakehouse: Lakehouse) -> Checkpoint:
    """The state now."""
    holdings = lakehouse.holdings()
    names = [(holding.namespace, name) for holding in holdings for name in holding.tables]
    namespaces = tuple(holding.namespace for holding in holdings)
    tables = dict(zip(names, lakehouse.load(names), strict=True))
    return Checkpoint(namespaces, tables)


def restore(lakehouse: Lakehouse, then: Checkpoint) -> None:
    """Back to `then`. Views stay as they are; files that were purged since do not come back."""
    now = take(lakehouse)
    asks = [
        # Made since, or made anew under the old name; its files go with the lakehouse.
        Ask("DELETE", f"{lakehouse.path(namespace)}/tables/{quote(name, safe='')}", accept=(404,))
        for namespace, name in now.tables
        if not _same(now.tables[namespace, name], then.tables.get((namespace, name)))
    ]
    space = f"{CATALOG}/{lakehouse.catalog}/namespaces"
    missing = sorted(set(then.namespaces) - set(now.namespaces), key=len)
    asks += [Ask("POST", space, {"namespace": namespace}, (409,)) for namespace in missing]
    changes = []
    for (namespace, name), metadata in then.tables.items():
        current = now.tables.get((namespace, name))
        if current is not None and _same(current, metadata):
            change = restore_change(current, metadata, name, list(namespace))
            changes += [change] if change["updates"] else []
        else:
            changes.append(create_change(metadata, namespace, name, metadata["location"], keep_uuid=True))
    if changes:
        asks.append(Ask("POST", f"{CATALOG}/{lakehouse.catalog}/transactions/commit", {"table-changes": changes}))
    lakehouse.stack.admin.together(asks)


def _same(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    return other is not None and one["table-uuid"] == other["table-uuid"]
