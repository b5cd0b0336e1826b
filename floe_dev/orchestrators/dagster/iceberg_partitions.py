"""Writing the partitions of a Dagster asset into its Iceberg table: one commit, other partitions untouched.

dagster-iceberg 0.3.14 refuses a run over a range of partitions (it asks for the one partition key) and commits the
table, its partition spec and its rows one after another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from typing import Any

import pyarrow as pa
from dagster import OutputContext, TimeWindow, TimeWindowPartitionsDefinition
from dagster._core.definitions.partitions.schedule_type import ScheduleType
from dagster._core.storage.db_io_manager import TablePartitionDimension, TableSlice
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, In, LessThan
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import DateType

from floe_dev.dbt.adapter.table import COMMIT_TRIES

#: PyIceberg's types know only the constructors' long form.
_in: Any = In
_at_least: Any = GreaterThanOrEqual
_below: Any = LessThan
#: The Iceberg transform of a partition by time where it is not `day`; a week is stored by its days.
_TRANSFORMS = {ScheduleType.HOURLY: "hour", ScheduleType.MONTHLY: "month"}


def overwrite_partitions(
    table_slice: TableSlice, rows: pa.Table, catalog: Catalog, summary: Mapping[str, str]
) -> Table:
    """Make `rows` the whole content of the run's partitions in one commit; returns the table as committed.

    New columns are added. Raises CommitFailedException once other writers won COMMIT_TRIES times, ValueError for a
    change of a column that Iceberg does not allow.
    """
    identifier = (*table_slice.schema.split("."), table_slice.table)
    for tries_left in reversed(range(COMMIT_TRIES)):
        table = catalog.load_table(identifier)
        dimensions = [_filter(each, table.schema()) for each in table_slice.partition_dimensions or ()]
        try:
            with table.transaction() as transaction:
                with transaction.update_schema() as update:
                    update.union_by_name(rows.schema)
                transaction.overwrite(rows, overwrite_filter=reduce(And, dimensions), snapshot_properties=dict(summary))
        except CommitFailedException:
            if tries_left == 0:
                raise
        else:
            return table
    raise AssertionError  # the loop returns or raises


def partition_by(context: OutputContext, table_slice: TableSlice) -> list[str]:
    """How a new table of this asset is partitioned: by time as its partitions are, else by the column itself."""
    definition = context.asset_partitions_def
    found = []
    for dimension in table_slice.partition_dimensions or ():
        if isinstance(definition, TimeWindowPartitionsDefinition) and isinstance(dimension.partitions, TimeWindow):
            transform = _TRANSFORMS.get(definition.schedule_type, "day") if definition.schedule_type else "day"
            found.append(f"{transform}({dimension.partition_expr})")
        else:
            found.append(dimension.partition_expr)
    return found


def _filter(dimension: TablePartitionDimension, schema: Schema) -> BooleanExpression:
    column, partitions = dimension.partition_expr, dimension.partitions
    if not isinstance(partitions, TimeWindow):
        one_of: BooleanExpression = _in(column, list(partitions))
        return one_of
    date = isinstance(schema.find_type(column), DateType)
    start, end = (_literal(moment, date=date) for moment in (partitions.start, partitions.end))
    between: BooleanExpression = And(_at_least(column, start), _below(column, end))
    return between


def _literal(moment: dt.datetime, *, date: bool) -> Any:
    """The wall clock of the partitions' time zone, which is what the column holds."""
    naive = moment.replace(tzinfo=None)
    return naive.date().isoformat() if date else naive.isoformat()
