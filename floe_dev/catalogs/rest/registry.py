"""The rows that say which tables and views exist, where their metadata is and which folder is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from floe_dev.catalogs.rest import names
from floe_dev.catalogs.rest.database import Transaction
from floe_dev.catalogs.rest.errors import ApiError, already_exists, forbidden, no_table, no_view

Kind = Literal["table", "view"]

_ROWS = {
    "table": ("iceberg_tables", "table_namespace", "table_name"),
    "view": ("floe_views", "view_namespace", "view_name"),
}


_SET_LOCATION = (
    "INSERT INTO floe_locations VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (catalog_name, kind, namespace, name) DO UPDATE SET location = excluded.location"
)


@dataclass(frozen=True)
class Identifier:
    """A table or view of a catalog."""

    catalog: str
    namespace: names.Namespace
    name: str

    @property
    def key(self) -> tuple[str, str, str]:
        """The database key."""
        return self.catalog, names.key(self.namespace), self.name

    def __str__(self) -> str:
        return names.dotted(self.namespace, self.name)


def find(tx: Transaction, identifier: Identifier, kind: Kind = "table") -> str | None:
    """The metadata location, or None if there is no such table or view."""
    table, namespace, name = _ROWS[kind]
    row = tx.one(
        f"SELECT metadata_location FROM {table} WHERE catalog_name = ? AND {namespace} = ? AND {name} = ?",  # noqa: S608
        *identifier.key,
    )
    return None if row is None or row[0] is None else str(row[0])


def get(tx: Transaction, identifier: Identifier, kind: Kind = "table") -> str:
    """The metadata location; 404 if there is no such table or view."""
    found = find(tx, identifier, kind)
    if found is None:
        raise missing(identifier, kind)
    return found


def missing(identifier: Identifier, kind: Kind) -> ApiError:
    """The 404 of a table or view."""
    return no_table(str(identifier)) if kind == "table" else no_view(str(identifier))


def demand_free(tx: Transaction, identifier: Identifier, kind: Kind) -> None:
    """409 if the name is taken, by a table or by a view."""
    other: Kind = "view" if kind == "table" else "table"
    if find(tx, identifier, kind) is not None:
        raise already_exists(f"{kind.capitalize()} already exists: {identifier}")
    if find(tx, identifier, other) is not None:
        raise already_exists(f"{other.capitalize()} with same name already exists: {identifier}")


def listing(
    tx: Transaction, catalog: str, namespace: names.Namespace, kind: Kind
) -> list[tuple[str, dict[str, object]]]:
    """Names in a namespace, sorted, each with its identifier as the API shows it."""
    table, namespace_column, name = _ROWS[kind]
    rows = tx.all(
        f"SELECT {name} FROM {table} WHERE catalog_name = ? AND {namespace_column} = ? ORDER BY {name}",  # noqa: S608
        catalog,
        names.key(namespace),
    )
    return [(row[0], {"namespace": list(namespace), "name": row[0]}) for row in rows]


def insert(tx: Transaction, identifier: Identifier, kind: Kind, metadata_location: str, location: str) -> None:
    """Enter a new table or view."""
    tx.run(f"INSERT INTO {_ROWS[kind][0]} VALUES (?, ?, ?, ?, NULL)", *identifier.key, metadata_location)  # noqa: S608
    tx.run(
        _SET_LOCATION,
        identifier.catalog,
        kind,
        names.key(identifier.namespace),
        identifier.name,
        location,
    )


def replace(tx: Transaction, identifier: Identifier, kind: Kind, old: str, new: str, location: str) -> None:
    """Point to new metadata; 409 if somebody else has done so since `old` was read."""
    table, namespace, name = _ROWS[kind]
    changed = tx.run(
        f"UPDATE {table} SET metadata_location = ?, previous_metadata_location = ? "  # noqa: S608
        f"WHERE catalog_name = ? AND {namespace} = ? AND {name} = ? AND metadata_location = ?",
        new,
        old,
        *identifier.key,
        old,
    )
    if changed != 1:
        raise ApiError(409, "CommitFailedException", f"{identifier} was changed at the same time")
    tx.run(
        _SET_LOCATION,
        identifier.catalog,
        kind,
        names.key(identifier.namespace),
        identifier.name,
        location,
    )


def delete(tx: Transaction, identifier: Identifier, kind: Kind) -> None:
    """Forget a table or view, with the grants on it."""
    table, namespace, name = _ROWS[kind]
    tx.run(f"DELETE FROM {table} WHERE catalog_name = ? AND {namespace} = ? AND {name} = ?", *identifier.key)  # noqa: S608
    where = "WHERE catalog_name = ? AND namespace = ? AND name = ?"
    tx.run(f"DELETE FROM floe_locations {where} AND kind = ?", *identifier.key, kind)  # noqa: S608
    tx.run(f"DELETE FROM floe_grants {where} AND type = ?", *identifier.key, kind)  # noqa: S608


def rename(tx: Transaction, source: Identifier, target: Identifier, kind: Kind) -> None:
    """Move a table or view to another name; its grants and its folder go with it."""
    table, namespace, name = _ROWS[kind]
    tx.run(
        f"UPDATE {table} SET {namespace} = ?, {name} = ? WHERE catalog_name = ? AND {namespace} = ? AND {name} = ?",  # noqa: S608
        *target.key[1:],
        *source.key,
    )
    where = "SET namespace = ?, name = ? WHERE catalog_name = ? AND namespace = ? AND name = ?"
    tx.run(f"UPDATE floe_locations {where} AND kind = ?", *target.key[1:], *source.key, kind)
    # Left from an earlier holder of the name, which may be gone by a plain SqlCatalog's hand.
    gone = "DELETE FROM floe_grants WHERE catalog_name = ? AND namespace = ? AND name = ? AND type = ?"
    tx.run(gone, *target.key, kind)
    tx.run(f"UPDATE floe_grants {where} AND type = ?", *target.key[1:], *source.key, kind)


def folder(tx: Transaction, identifier: Identifier, kind: Kind = "table") -> str | None:
    """The folder of a table or view; None for a table that a plain SqlCatalog has made."""
    sql = "SELECT location FROM floe_locations WHERE catalog_name = ? AND namespace = ? AND name = ? AND kind = ?"
    row = tx.one(sql, *identifier.key, kind)
    return None if row is None else str(row[0])


def neighbours(tx: Transaction, location: str, besides: Identifier | None = None) -> list[str]:
    """Tables and views, of any catalog, whose folder contains this location or lies in it."""
    parts = location.split("/")
    above: Sequence[str] = ["/".join(parts[:count]) for count in range(3, len(parts) + 1)]
    marks = ",".join("?" * len(above))
    rows = tx.all(
        "SELECT catalog_name, namespace, name FROM floe_locations "  # noqa: S608
        f"WHERE location IN ({marks}) OR (location > ? AND location < ?)",
        *above,
        location + "/",
        location + "0",
    )
    own = besides.key if besides is not None else None
    return [f"{row[0]}.{row[1]}.{row[2]}" for row in rows if row != own]


def demand_own_folder(tx: Transaction, identifier: Identifier, location: str) -> None:
    """403 if the folder overlaps another table's: dropping one would take the other's files."""
    others = neighbours(tx, location, identifier)
    if others:
        raise forbidden(f"Unable to create table at location '{location}' because it conflicts with {others[0]}")
