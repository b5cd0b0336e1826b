"""What stands in manifests: the files of a snapshot, its partitions, and what changed between two snapshots.

PyIceberg reads the manifests (Avro); no data file is opened and pyarrow is not imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.tables import Snapshot, TableInfo

if TYPE_CHECKING:
    from pyiceberg.table import Table

_MAX_FILES = 10_000


@dataclass(frozen=True)
class File:
    """One data or delete file of a snapshot; `size` in bytes."""

    path: str
    content: str  # data | position-deletes | equality-deletes
    rows: int
    size: int
    partition: str


@dataclass(frozen=True)
class Partition:
    """The files of one partition value together; `size` in bytes."""

    value: str
    files: int
    rows: int
    size: int


@dataclass(frozen=True)
class TableDiff:
    """What lies between two snapshots of one table."""

    identifier: str
    before: Snapshot
    after: Snapshot
    rows_before: int | None
    rows_after: int | None
    files_added: tuple[File, ...]
    files_removed: tuple[File, ...]
    files_kept: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_changed: tuple[str, ...]


def files_of(table: Table, snapshot_id: int | None = None) -> tuple[File, ...]:
    """The live files of a snapshot (default: the current one), by path; none for a table nobody wrote to."""
    snapshot = table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        return ()
    specs = table.specs()
    schema = table.schema()
    found = []
    for manifest in snapshot.manifests(table.io):
        spec = specs[manifest.partition_spec_id]
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            data_file = entry.data_file
            path = spec.partition_to_path(data_file.partition, schema) if spec.fields else ""
            found.append(
                File(
                    path=data_file.file_path,
                    content=data_file.content.name.lower().replace("_", "-"),
                    rows=data_file.record_count,
                    size=data_file.file_size_in_bytes,
                    partition=path,
                )
            )
            if len(found) >= _MAX_FILES:
                return tuple(found)
    return tuple(sorted(found, key=lambda file: (file.partition, file.path)))


def partitions_of(files: Iterable[File]) -> tuple[Partition, ...]:
    """The data files summed by partition value."""
    groups: dict[str, list[File]] = {}
    for file in files:
        if file.content == "data":
            groups.setdefault(file.partition, []).append(file)
    return tuple(
        Partition(value, len(group), sum(f.rows for f in group), sum(f.size for f in group))
        for value, group in sorted(groups.items())
    )


def find_snapshot(info: TableInfo, name: str) -> Snapshot:
    """The snapshot named by its id, its number (1 is the oldest kept), or `current`, `previous`, `first`.

    Raises:
        FloeError: FLOE6003 if there is none of that name.
    """
    snapshots = info.snapshots
    by_id = {s.snapshot_id: s for s in snapshots}
    current = info.current
    if name == "current" and current is not None:
        return current
    if name == "previous" and current is not None and current.parent_id in by_id:
        return by_id[current.parent_id]
    if name == "first" and snapshots:
        return snapshots[0]
    if name.isdigit():
        number = int(name)
        if number in by_id:
            return by_id[number]
        if 1 <= number <= len(snapshots):
            return snapshots[number - 1]
    raise FloeError(
        Code.NO_SUCH_SNAPSHOT,
        f"{info.identifier} has no snapshot {name!r}",
        why=f"it has {len(snapshots)}: " + ", ".join(str(s.snapshot_id) for s in snapshots[-5:]) if snapshots else None,
        fix=f"floe tables show {info.identifier}",
    )


def diff(table: Table, info: TableInfo, before: Snapshot, after: Snapshot) -> TableDiff:
    """Rows, files and columns that differ between two snapshots of `info` (the same table as `table`)."""
    old = {file.path: file for file in files_of(table, before.snapshot_id)}
    new = {file.path: file for file in files_of(table, after.snapshot_id)}
    old_columns, new_columns = _columns(info, before), _columns(info, after)
    common = old_columns.keys() & new_columns.keys()
    return TableDiff(
        identifier=info.identifier,
        before=before,
        after=after,
        rows_before=before.rows,
        rows_after=after.rows,
        files_added=tuple(new[path] for path in sorted(new.keys() - old.keys())),
        files_removed=tuple(old[path] for path in sorted(old.keys() - new.keys())),
        files_kept=len(old.keys() & new.keys()),
        # Columns are the same by field id, so a rename is a change and not a loss.
        columns_added=tuple(_text(new_columns[key]) for key in new_columns if key not in common),
        columns_removed=tuple(_text(old_columns[key]) for key in old_columns if key not in common),
        columns_changed=tuple(
            f"{_text(old_columns[key])} -> {_text(new_columns[key])}"
            for key in new_columns
            if key in common and old_columns[key] != new_columns[key]
        ),
    )


def open_table(connection: CatalogConnection, info: TableInfo) -> Table:
    """The table through PyIceberg, for the functions above.

    Local files are read through fsspec: PyIceberg's default would import pyarrow for the sake of a few Avro files.
    """
    from pyiceberg.catalog.rest import RestCatalog

    properties = connection.pyiceberg_properties()
    if info.location.startswith(("file:", "/")):
        properties["py-io-impl"] = "pyiceberg.io.fsspec.FsspecFileIO"
    table: Table = RestCatalog(connection.alias, **properties).load_table((*info.namespace, info.name))
    return table


def type_text(kind: Any) -> str:
    """A column type of schema JSON as text: `long`, `list<string>`, `struct<a: int>`."""
    if isinstance(kind, str):
        return kind
    match kind.get("type"):
        case "list":
            return f"list<{type_text(kind['element'])}>"
        case "map":
            return f"map<{type_text(kind['key'])}, {type_text(kind['value'])}>"
        case "struct":
            return "struct<" + ", ".join(f"{f['name']}: {type_text(f['type'])}" for f in kind["fields"]) + ">"
        case other:
            return str(other)


def _columns(info: TableInfo, snapshot: Snapshot) -> dict[int, tuple[str, str, bool]]:
    schema = info.schema(snapshot.schema_id)
    return {f["id"]: (f["name"], type_text(f["type"]), f.get("required", False)) for f in schema.get("fields") or ()}


def _text(column: tuple[str, str, bool]) -> str:
    name, kind, required = column
    return f"{name} {kind}{' not null' if required else ''}"
