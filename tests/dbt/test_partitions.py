"""Every partition transform over every type: what DuckDB wrote into a file's partition is what Iceberg says it is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import TruncateTransform
from pyiceberg.types import IcebergType, LongType, NestedField, StringType

from floe_dev.compute.duckdb import connect
from tests.dbt.conftest import SCHEMA, Shop

#: A column of each type; rows are far apart, before 1970 too, and one is null.
COLUMNS = {
    "i": "(id * 7919 - 30000)::integer",
    "l": "(id * 987654321987 - 5000000000000)::bigint",
    "small": "(id - 20)::smallint",
    "dec": "(id * 1.37 - 20)::decimal(9, 2)",
    "huge": "(id * 12345678901234567890 - 99999999999999999999)::hugeint",
    "s": "['', 'iceberg', 'ä€🦆👩‍👧 x', 'a/b=c%d?', 'abcdefgh', 'abc'][id % 6 + 1] || (id // 12)",
    "e": "(['red', 'green'][id % 2 + 1])::enum('red', 'green')",
    "blob": "unhex(left(md5(id::varchar), (id % 8) * 2))",
    "u": "md5(id::varchar)::uuid",
    "d": "date '1969-11-20' + (id * 17)::integer",
    "t": "time '00:00:00.000001' + interval (id * 37) minute",
    "ts": "timestamp '1969-12-31 23:59:59.999999' + interval (id * 7777) minute - interval 90 day",
    "tz": "timestamptz '1970-01-01 01:30:00+00' + interval (id * 7777) minute - interval 90 day",
    "b": "id % 2 = 0",
    "f": "(id / 3)::float",
    "f8": "id / 7",
}
IDENTITY = [name for name in COLUMNS if name != "huge"]
NUMBERED = {
    "bucket(5, {})": ("i", "l", "small", "s", "e", "blob", "u", "d", "t", "ts", "tz"),
    "truncate(3, {})": ("s", "e", "blob"),
    "truncate({}, 50)": ("i", "l", "small", "dec"),
    "year({})": ("d", "ts", "tz"),
    "month({})": ("d", "ts", "tz"),
    "day({})": ("d", "ts", "tz"),
    "hours({})": ("ts", "tz"),
}
CASES = {f"by_{name}": [name] for name in IDENTITY} | {
    f"by_{call.partition('(')[0]}_{name}": [call.format(name)] for call, names in NUMBERED.items() for name in names
}


def _internal(value: Any) -> Any:
    """A value of a row as Iceberg's transforms take it: days, microseconds."""
    if isinstance(value, dt.datetime):
        return (value.replace(tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days
    if isinstance(value, dt.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    return value


def _wanted(value: Any, field: PartitionField, kind: IcebergType) -> Any:
    """What PyIceberg's own transform makes of the value."""
    return field.transform.transform(kind)(_internal(value))


def _check_files(table: Table) -> int:
    """Compare each row with the partition of the file it is in; the number of partitions."""
    spec, schema, partitions = table.spec(), table.schema(), set()
    for task in table.scan().plan_files():
        rows = pq.read_table(task.file.file_path.removeprefix("file://")).to_pylist()
        assert rows
        for index, field in enumerate(spec.fields):
            kind = schema.find_type(field.source_id)
            name = schema.find_column_name(field.source_id)
            stored = task.file.partition[index]
            for row in rows:
                value = row[str(name)]
                if str(kind) == "uuid" and value is not None:
                    value = value if isinstance(value, UUID) else UUID(bytes=value)
                wanted = _wanted(value, field, kind)
                same = stored == pytest.approx(wanted) if isinstance(wanted, float) else stored == wanted
                assert same, (table.name(), value, stored, wanted)
                assert not isinstance(wanted, Decimal) or stored.as_tuple() == wanted.as_tuple()
        partitions.add(str(task.file.partition))
    return len(partitions)


def test_each_transform_over_each_type_puts_rows_where_iceberg_says(shop: Shop) -> None:
    columns = ", ".join(f"case when id <> 13 then {sql} end as {name}" for name, sql in COLUMNS.items())
    shop.model("source", f"select id, {columns} from (select range as id from range(40))", materialized="ephemeral")
    for name, partition_by in CASES.items():
        shop.model(
            name,
            "select * from {{ ref('source') }}",
            materialized="table",
            partition_by=partition_by,
            # A partition is a matter of UTC, whatever the session says.
            pre_hook="set timezone = 'America/New_York'",
        )
    shop.build()
    for name in CASES:
        table = shop.table(name)
        assert len(table.spec().fields) == 1, name
        assert _check_files(table) > 1, name
        assert len(shop.rows(name)) == 40
    # Engines prune by the partition: a wrong one would lose rows.
    with connect(shop.connection) as database:
        for name, column, value in (
            ("by_bucket_s", "s", "iceberg0"),
            ("by_truncate_i", "i", "17514"),
            ("by_s", "s", "a/b=c%d?1"),
        ):
            found = [row["id"] for row in shop.table(name).scan(f"{column} = '{value}'").to_arrow().to_pylist()]
            asked = database.execute(f"select id from {SCHEMA}.{name} where {column} = '{value}'").fetchall()
            assert sorted(found) == sorted(row[0] for row in asked)
            assert len(found) in (1, 2)


def test_buckets_work_with_other_fields_incremental_runs_and_a_changed_number(shop: Shop) -> None:
    sql = (
        "select range as id, 'c' || (range % 50) as customer, timestamp '2024-01-01' + interval (range) hour as at "
        "from range({{ var('start', 0) }}, {{ var('start', 0) }} + 100)"
    )
    config = {"materialized": "incremental", "unique_key": "id", "incremental_strategy": "merge"}
    shop.model("orders", sql, partition_by=["bucket(4, customer)", "day(at)"], **config)
    shop.build()
    shop.build("--vars", "{start: 50}")
    assert _check_files(shop.table("orders")) > 8
    assert [row["id"] for row in sorted(shop.rows("orders"), key=lambda row: row["id"])] == list(range(150))

    shop.model("orders", sql, partition_by=["bucket(7, customer)", "truncate(2, customer)"], **config)
    shop.build("--vars", "{start: 120}")
    assert [str(field.transform) for field in shop.table("orders").spec().fields] == ["bucket[7]", "truncate[2]"]
    assert len(shop.rows("orders")) == 220
    shop.model("orders", sql, partition_by=["bucket(4, customer)", "truncate(3, customer)"], **config)
    shop.build("--full-refresh")
    assert _check_files(shop.table("orders")) > 8
    found = shop.table("orders").scan("customer = 'c7'").to_arrow()
    assert sorted(found["id"].to_pylist()) == [7, 57]


def test_a_field_that_has_another_name_is_kept(shop: Shop) -> None:
    shop.catalog.create_namespace("silver")
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "name", StringType()))
    spec = PartitionSpec(PartitionField(2, 1000, TruncateTransform(2), "by_first_letters"))
    shop.catalog.create_table("silver.people", schema, partition_spec=spec)
    shop.model(
        "people", "select 1::bigint as id, 'Ada' as name", materialized="table", partition_by="truncate(2, name)"
    )
    shop.build()
    assert [field.name for field in shop.table("people").spec().fields] == ["by_first_letters"]
    assert _check_files(shop.table("people")) == 1


def test_a_partitioning_that_cannot_be_is_refused_before_anything_is_written(shop: Shop) -> None:
    refused = {
        "bucket(0, id)": "with n from 1",
        "bucket(id)": "is not understood",
        "bucket(4, price)": "buckets of a decimal",
        "bucket(4, ratio)": "Iceberg does not have it for the type double",
        "hour(day)": "Iceberg does not have it for the type date",
        "tags": "Iceberg does not have it for the type",
        "bucket(4, nothing)": "no column 'nothing'",
    }
    row = "select 1 as id, 1.5::decimal(9, 2) as price, 0.5::double as ratio, date '2024-01-01' as day, ['a'] as tags"
    for index, partition_by in enumerate(refused):
        shop.model(f"refused_{index}", row, materialized="table", partition_by=partition_by)
    built = shop.dbt("build")
    assert built.exit_code == 1
    for index, told in enumerate(refused.values()):
        message = built.message(f"refused_{index}")
        assert "FLOE4003" in message
        assert told in message
    assert shop.catalog.list_tables("silver") == []
