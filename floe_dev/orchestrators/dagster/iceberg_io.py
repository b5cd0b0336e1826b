"""The IO manager at work: dagster-iceberg's reading and partitioned writing, whole tables in one commit.

dagster-iceberg 0.3.14 creates a table in one commit and fills it in others, overwrites by a delete and an append
snapshot, and needs the whole result in memory. So a whole table is written as dbt's are: DuckDB writes the files from
the Arrow stream, the catalog commits them once. All else is dagster-iceberg's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from dagster import InputContext, IOManager, MetadataValue, OutputContext, TableColumn, TableSchema
from dagster._core.storage.db_io_manager import DbIOManager, TableSlice
from dagster_iceberg._utils import WriteMode
from dagster_iceberg.io_manager.base import IcebergDbClient
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from floe_dev.catalogs.traced import traced_catalog
from floe_dev.dbt.adapter.layout import TableLayout
from floe_dev.dbt.adapter.stamp import snapshot_properties
from floe_dev.dbt.adapter.table import Change, IcebergTable, data_files, output_of
from floe_dev.dbt.adapter.types import columns_of
from floe_dev.model.connection import CatalogConnection
from floe_dev.orchestrators.dagster.iceberg_partitions import overwrite_partitions, partition_by
from floe_dev.tracing.record import span
from floe_dev.tracing.writes import remember

_IO_MANAGERS = {
    "arrow": "PyArrowIcebergIOManager",
    "pandas": "PandasIcebergIOManager",
    "polars": "PolarsIcebergIOManager",
}


class CatalogClient(IcebergDbClient):
    """One PyIceberg catalog for all outputs of a run: one token, one connection pool."""

    def __init__(self, connection: CatalogConnection) -> None:
        """Nothing is asked yet."""
        self._connection = connection
        self._catalog: Catalog | None = None

    @contextmanager
    def connect(self, context: Any, table_slice: TableSlice) -> Iterator[Catalog]:  # type: ignore[override] # noqa: ARG002
        """The catalog, logged in once."""
        if self._catalog is None:
            self._catalog = traced_catalog(self._connection)
        yield self._catalog


def _handler(base: Any) -> Any:
    """dagster-iceberg's handler of one kind of data frame, which writes as floe does."""

    class Handler(base):  # type: ignore[misc]
        def handle_output(self, context: OutputContext, table_slice: TableSlice, obj: Any, connection: Catalog) -> None:
            """Write one asset's result into its table; raises what DuckDB, PyIceberg or the catalog raise."""
            streamed = isinstance(obj, pa.RecordBatchReader)
            if table_slice.partition_dimensions:
                _write_partitions(context, table_slice, obj.read_all() if streamed else self.to_arrow(obj), connection)
            elif self._get_write_mode(context) is WriteMode.overwrite:
                _replace(context, table_slice, obj if streamed else self.to_arrow(obj), connection)
            else:
                # What dagster-iceberg appends or merges it wants in memory.
                super().handle_output(context, table_slice, obj.read_all() if streamed else obj, connection)

        def load_input(self, context: InputContext, table_slice: TableSlice, connection: Catalog) -> Any:
            """Read one table (or the partitions of it that the run needs); raises what the catalog raises."""
            name = f"{table_slice.schema}.{table_slice.table}"
            about = {"floe.catalog.table": name, "db.collection.name": name, "db.operation.name": "read"}
            with span(f"read {name}", about, "client") as told:
                found = super().load_input(context, table_slice, connection)
                told.attributes["floe.rows"] = getattr(found, "num_rows", None)
                return found

    return Handler()


def _handlers() -> Iterator[Any]:
    """Arrow first, which is what an asset without a type hint gets; pandas and Polars where they are installed."""
    for module, name in _IO_MANAGERS.items():
        try:
            manager = getattr(importlib.import_module(f"dagster_iceberg.io_manager.{module}"), name)
        except ImportError:
            continue
        for handler in manager.type_handlers():
            yield _handler(type(handler))


def iceberg_io_manager(connection: CatalogConnection) -> IOManager:
    """An IO manager on the catalog behind `connection`; keys `[namespace, name]` are tables."""
    return DbIOManager(
        type_handlers=list(_handlers()),
        db_client=CatalogClient(connection),
        database=connection.alias,
        schema=None,
        io_manager_name="IcebergIOManager",
    )


class _TableExistsError(Exception):
    """Another run made the table meanwhile."""


def _write_partitions(context: OutputContext, table_slice: TableSlice, rows: pa.Table, catalog: Catalog) -> None:
    """Make `rows` the content of the run's partitions, in a table that is made where there is none."""
    if not catalog.table_exists((*table_slice.schema.split("."), table_slice.table)):
        try:
            _replace(context, table_slice, rows, catalog, new=True)
        except _TableExistsError:
            pass
        else:
            return
    table = overwrite_partitions(table_slice, rows, catalog, _summary(context, catalog))
    context.add_output_metadata({"dagster/partition_row_count": rows.num_rows, **_snapshot(table)})
    columns = [(each.name, str(each.field_type)) for each in table.schema().fields]
    # Told as lineage when Dagster reports the materialization (run_spans).
    remember(output_of(table, columns=columns, rows=rows.num_rows))


def _replace(context: OutputContext, table_slice: TableSlice, obj: Any, catalog: Catalog, *, new: bool = False) -> None:
    """Make `obj` the whole content of the table: one commit, history kept; with `new` only of one that is not there."""
    options = context.definition_metadata or {}
    partitioned_by = options.get("partition_by") or (partition_by(context, table_slice) if new else None)
    layout = TableLayout.parse(partitioned_by, options.get("sort_order"), options.get("table_properties"))
    streamed = isinstance(obj, pa.RecordBatchReader)
    with duckdb.connect() as database:
        types = database.from_arrow(obj.schema.empty_table())
        columns = columns_of(types.columns, types.types)
        database.register("floe_output", obj)
        asked = iter(range(1 if streamed else 1_000_000))

        def content(now: Any) -> tuple[str, Any]:
            if new and now is not None:
                raise _TableExistsError
            if next(asked, None) is None:
                raise RuntimeError("another writer changed the table meanwhile, and a stream can be read only once")
            return "SELECT * FROM floe_output", data_files(now)

        table = IcebergTable(catalog, (*table_slice.schema.split("."), table_slice.table))
        rows = table.apply(database, Change(content, columns, layout, _summary(context, catalog), rebuild=True))
    context.add_output_metadata(
        {
            "dagster/row_count": rows,
            "dagster/column_schema": TableSchema([TableColumn(c.name, str(c.type)) for c in columns]),
            **_snapshot(table.load()),
        }
    )


def _snapshot(table: Table | None) -> dict[str, MetadataValue]:
    snapshot = table.current_snapshot() if table is not None else None
    return {"snapshot_id": MetadataValue.text(str(snapshot.snapshot_id if snapshot else ""))}


def _summary(context: OutputContext, catalog: Catalog) -> dict[str, str]:
    """The snapshot's keys, as for dbt's tables (docs/reference/snapshot-summary.md)."""
    principal = str(catalog.properties.get("credential", "")).partition(":")[0]
    keys = {**snapshot_properties({}, "", principal), "floe.run-id": context.run_id}
    if context.has_asset_partitions:
        span = context.asset_partition_key_range
        keys["floe.partitions"] = span.start if span.start == span.end else f"{span.start}..{span.end}"
    return {**keys, "floe.asset": "/".join(context.asset_key.path)} if context.has_asset_key else keys
