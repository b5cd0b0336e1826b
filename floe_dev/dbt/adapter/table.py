"""One Iceberg table from dbt's side: made to fit the model, its content replaced or changed, one commit each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.manifest import DataFile, DataFileContent, ManifestContent
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update.schema import UpdateSchema

from floe_dev.catalogs.pyiceberg_mend import mend_manifest_entries
from floe_dev.dbt.adapter.files import WrittenFiles, write_parquet
from floe_dev.dbt.adapter.layout import TableLayout, apply_layout
from floe_dev.dbt.adapter.schema import add_columns, new_schema, sync_schema
from floe_dev.dbt.adapter.types import Column
from floe_dev.tracing.lineage import Output
from floe_dev.tracing.record import OpenSpan, span
from floe_dev.tracing.writes import remember

mend_manifest_entries()

#: How often a commit that lost against another writer is tried again.
COMMIT_TRIES = 5

#: Gets the table as it is now (None: it does not exist); answers the query whose rows are added and the files replaced.
Content = Callable[[Table | None], tuple[str, Sequence[DataFile]]]


@dataclass(frozen=True)
class Change:
    """One change of a table's content."""

    content: Content
    columns: Sequence[Column]
    layout: TableLayout
    summary: Mapping[str, str]
    #: Make the table's columns exactly `columns` (a rebuild); otherwise only those in `new_columns` are added.
    rebuild: bool = False
    new_columns: Sequence[Column] = ()


class IcebergTable:
    """A table of the catalog by its identifier, existing or not."""

    def __init__(self, catalog: Catalog, identifier: tuple[str, ...]) -> None:
        self._catalog = catalog
        self.identifier = identifier

    def load(self) -> Table | None:
        """The table as it is now; None where there is none."""
        try:
            return self._catalog.load_table(self.identifier)
        except NoSuchTableError:
            return None

    def apply(self, cursor: Any, change: Change) -> int:
        """Write the files, then commit once; returns the rows written.

        A commit that lost against another writer is made again on the new state, with the query asked anew. Raises
        CommitFailedException once that happened COMMIT_TRIES times, duckdb.Error where the query fails.
        """
        name = ".".join(self.identifier)
        about = {
            "floe.catalog.table": name,
            "db.system.name": "duckdb",
            "db.collection.name": name,
            "db.operation.name": "write",
        }
        with span(f"write {name}", about, "client") as told:
            for tries_left in reversed(range(COMMIT_TRIES)):
                try:
                    return self._apply(cursor, change, told)
                except CommitFailedException:
                    told.attributes["floe.write.conflicts"] = COMMIT_TRIES - tries_left
                    if tries_left == 0:
                        raise
        raise AssertionError  # the loop returns or raises

    def evolve(self, changes: Callable[[UpdateSchema], None]) -> None:
        """Change the schema in a commit of its own."""
        with self._catalog.load_table(self.identifier).update_schema(allow_incompatible_changes=True) as update:
            changes(update)

    def _apply(self, cursor: Any, change: Change, told: OpenSpan) -> int:
        table = self.load()
        sql, replaced = change.content(table)
        transaction = self._begin(table, change)
        with span("write files"):
            written = write_parquet(cursor, sql, change.columns, transaction.table_metadata, transaction._table.io)  # noqa: SLF001
        _check_required(written, transaction, change.layout)
        # Of the kinds of snapshot only `overwrite` may remove files; a plain append says so to incremental readers.
        if table is not None and replaced:
            update = transaction.update_snapshot(snapshot_properties=dict(change.summary))
            with update.overwrite() as overwrite:
                for file in (*replaced, *_obsolete_deletes(table, replaced)):
                    overwrite.delete_data_file(file)
                for file in written.files:
                    overwrite.append_data_file(file)
        elif written.files or table is None:
            with transaction.update_snapshot(snapshot_properties=dict(change.summary)).fast_append() as append:
                for file in written.files:
                    append.append_data_file(file)
        with span("commit"):
            committed = transaction.commit_transaction()
        snapshot = committed.current_snapshot()
        size = sum(file.file_size_in_bytes for file in written.files)
        told.attributes |= {"floe.rows": written.rows, "floe.files": len(written.files), "floe.bytes": size}
        if snapshot is not None:
            # Where the catalog records nothing of its own, this is what knows the commit.
            told.attributes |= {"floe.table": ".".join(self.identifier), "floe.snapshot": str(snapshot.snapshot_id)}
        remember(
            output_of(
                committed,
                columns=tuple((column.name, str(column.type)) for column in change.columns),
                rows=written.rows,
                size=size,
                files=len(written.files),
            )
        )
        return written.rows

    def _begin(self, table: Table | None, change: Change) -> Transaction:
        if table is None:
            schema = new_schema(change.columns, change.layout)
            return self._catalog.create_table_transaction(
                self.identifier,
                schema=schema,
                partition_spec=change.layout.spec(schema),
                sort_order=change.layout.order(schema),
                properties=dict(change.layout.properties),
            )
        transaction = table.transaction()
        if change.rebuild:
            sync_schema(transaction, change.columns, change.layout)
        elif change.new_columns:
            with transaction.update_schema() as update:
                add_columns(update, change.new_columns)
        apply_layout(transaction, change.layout)
        return transaction


def _obsolete_deletes(table: Table, replaced: Sequence[DataFile]) -> list[DataFile]:
    """The delete files of a table all of whose data files are `replaced`: they hide nothing any more.

    PyIceberg would keep them, and every count by the snapshot's summary would go on subtracting the rows they hid.
    """
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot is not None else []
    if all(manifest.content is ManifestContent.DATA for manifest in manifests):
        return []
    files = [entry.data_file for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io)]
    deletes = [file for file in files if file.content is not DataFileContent.DATA]
    return deletes if len(files) - len(deletes) == len(replaced) else []


def output_of(
    table: Table,
    *,
    columns: Sequence[tuple[str, str]],
    rows: int | None = None,
    size: int | None = None,
    files: int | None = None,
) -> Output:
    """What was written last into `table`, as lineage tells it, with the snapshot that is current now."""
    snapshot = table.current_snapshot()
    summary = snapshot.summary if snapshot is not None else None
    return Output(
        table=".".join(table.name()),
        columns=columns,
        rows=rows,
        size=size,
        files=files,
        snapshot_id=snapshot.snapshot_id if snapshot is not None else None,
        sequence_number=snapshot.sequence_number if snapshot is not None else None,
        summary={"operation": summary.operation.value, **summary.additional_properties} if summary is not None else {},
    )


def data_files(table: Table | None) -> list[DataFile]:
    """The files of the table's current snapshot."""
    if table is None or table.current_snapshot() is None:
        return []
    return [task.file for task in table.scan().plan_files()]


def _check_required(written: WrittenFiles, transaction: Transaction, layout: TableLayout) -> None:
    """Refuse a null in a column that the contract says has none, before anything is committed."""
    schema = transaction.table_metadata.schema()
    for name in layout.required:
        field_id = schema.find_field(name).field_id
        nulls = sum((file.null_value_counts or {}).get(field_id, 0) for file in written.files)
        if nulls:
            raise ValueError(
                f"FLOE4004: the contract says that {name!r} is not null, but {nulls} rows have no value; nothing was "
                "committed"
            )
