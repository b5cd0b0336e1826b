"""The IO manager at work: dagster-iceberg's reading and partitioned writing, whole tables in one commit.

dagster-iceberg 0.3.14 creates a table in one commit and fills it in others, overwrites by a delete and an append
snapshot, and needs the whole result in memory. So a whole table is written as dbt's are: DuckDB writes the files from
the Arrow stream, the catalog commits them once. All else is dagster-iceberg's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from dagster import IOManager, MetadataValue, OutputContext, TableColumn, TableSchema
from dagster._core.storage.db_io_manager import DbIOManager, TableSlice
from dagster_iceberg._utils import WriteMode
from dagster_iceberg.io_manager.arrow import PyArrowIcebergIOManager
from dagster_iceberg.io_manager.base import IcebergDbClient
from pyiceberg.catalog import Catalog

from floe_dev.catalogs.traced import traced_catalog
from floe_dev.dbt.adapter.layout import TableLayout
from floe_dev.dbt.adapter.stamp import snapshot_properties
from floe_dev.dbt.adapter.table import Change, IcebergTable, data_files
from floe_dev.dbt.adapter.types import columns_of
from floe_dev.model.connection import CatalogConnection
from floe_dev.tracing.lineage import Output, node_event
from floe_dev.tracing.record import record_lineage
from floe_dev.tracing.writes import take

_ARROW_HANDLER: Any = type(PyArrowIcebergIOManager.type_handlers()[0])


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


class ArrowHandler(_ARROW_HANDLER):  # type: ignore[misc]
    """`pyarrow.Table`, and `pyarrow.RecordBatchReader` for what should never be in memory whole."""

    def handle_output(self, context: OutputContext, table_slice: TableSlice, obj: Any, connection: Catalog) -> None:
        """Write one asset's result into its table; raises what DuckDB or the catalog raise."""
        whole = not table_slice.partition_dimensions and self._get_write_mode(context) is WriteMode.overwrite
        if whole:
            _replace(context, table_slice, obj, connection)
            return
        # What dagster-iceberg appends or writes for one partition it wants in memory.
        table = obj.read_all() if isinstance(obj, pa.RecordBatchReader) else obj
        super().handle_output(context, table_slice, table, connection)


def iceberg_io_manager(connection: CatalogConnection) -> IOManager:
    """An IO manager on the catalog behind `connection`; keys `[namespace, name]` are tables."""
    return DbIOManager(
        type_handlers=[ArrowHandler()],
        db_client=CatalogClient(connection),
        database=connection.alias,
        schema=None,
        io_manager_name="IcebergIOManager",
    )


def _replace(context: OutputContext, table_slice: TableSlice, obj: Any, catalog: Catalog) -> None:
    """Make `obj` the whole content of the table: one commit, history kept."""
    options = context.definition_metadata or {}
    layout = TableLayout.parse(options.get("partition_by"), options.get("sort_order"), options.get("table_properties"))
    streamed = isinstance(obj, pa.RecordBatchReader)
    with duckdb.connect() as database:
        types = database.from_arrow(obj.schema.empty_table())
        columns = columns_of(types.columns, types.types)
        database.register("floe_output", obj)
        asked = iter(range(1 if streamed else 1_000_000))

        def content(now: Any) -> tuple[str, Any]:
            if next(asked, None) is None:
                raise RuntimeError("another writer changed the table meanwhile, and a stream can be read only once")
            return "SELECT * FROM floe_output", data_files(now)

        table = IcebergTable(catalog, (*table_slice.schema.split("."), table_slice.table))
        principal = str(catalog.properties.get("credential", "")).partition(":")[0]
        rows = table.apply(database, Change(content, columns, layout, _summary(context, principal), rebuild=True))
    written = take(".".join(table.identifier))
    if context.has_asset_key and written is not None:
        record_lineage(_event(context, written))
    snapshot = table.load().current_snapshot()  # type: ignore[union-attr]
    context.add_output_metadata(
        {
            "dagster/row_count": rows,
            "dagster/column_schema": TableSchema([TableColumn(c.name, str(c.type)) for c in columns]),
            "snapshot_id": MetadataValue.text(str(snapshot.snapshot_id if snapshot else "")),
        }
    )


def _event(context: OutputContext, written: Output) -> dict[str, Any]:
    """The asset was made from what its definition depends on, whether the IO manager or its own code read that."""
    layer = context.step_context.job_def.asset_layer
    parents = layer.get(context.asset_key).parent_keys if layer.has(context.asset_key) else ()
    return node_event(
        "COMPLETE",
        node="/".join(context.asset_key.path),
        run_id=context.run_id,
        invocation=context.run_id,
        integration="DAGSTER",
        resource="ASSET",
        inputs=sorted(".".join(key.path) for key in parents),
        outputs=[written],
    )


def _summary(context: OutputContext, principal: str) -> dict[str, str]:
    """The snapshot's keys, as for dbt's tables (docs/reference/snapshot-summary.md)."""
    keys = {**snapshot_properties({}, "", principal), "floe.run-id": context.run_id}
    return {**keys, "floe.asset": "/".join(context.asset_key.path)} if context.has_asset_key else keys
