"""The rows in which two snapshots of a real table differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.types import StringType

from floe_dev.errors import Code, FloeError
from floe_dev.telemetry.row_diff import RowDiff, row_diff
from floe_dev.testing.lakehouse import Lakehouse

if TYPE_CHECKING:
    import duckdb


def compare(
    database: duckdb.DuckDBPyConnection, table: str, snapshots: tuple[int | None, int], limit: int = 50
) -> RowDiff:
    return row_diff(database, table.rsplit(".", 1), snapshots, limit=limit)


def test_without_a_key_rows_count_as_often_as_they_are_there_and_either_kind_is_shown(
    iceberg_catalog: RestCatalog, duckdb_conn: duckdb.DuckDBPyConnection, lakehouse: Lakehouse
) -> None:
    name = f"{lakehouse.namespace}.orders"
    one = pa.table({"id": pa.array([1, 1, 2, 3], pa.int64()), "old": ["a"] * 4})
    table = iceberg_catalog.create_table(name, one.schema)
    table.append(one)
    first = table.metadata.snapshots[-1].snapshot_id
    with table.update_schema() as update:
        update.delete_column("old")
        update.add_column("new", StringType())
    table.overwrite(pa.table({"id": pa.array([1, 3, 4, 5, 6], pa.int64()), "new": ["b"] * 5}))
    second = table.metadata.snapshots[-1].snapshot_id

    found = compare(duckdb_conn, name, (first, second))
    assert (found.added, found.removed, found.changed) == (3, 2, 0)
    assert sorted(row.before["id"] for row in found.rows if row.kind == "removed") == [1, 2]
    assert sorted(row.after["id"] for row in found.rows if row.kind == "added") == [4, 5, 6]
    assert {column for row in found.rows for column in (*row.before, *row.after)} == {"id"}, "only what both have"

    few = compare(duckdb_conn, name, (first, second), limit=2)
    assert (few.added, few.removed) == (3, 2)
    assert [row.kind for row in few.rows] == ["removed", "added"]
    assert compare(duckdb_conn, name, (first, second), limit=0).rows == ()

    begun = compare(duckdb_conn, name, (None, first))
    assert (begun.added, begun.removed) == (4, 0)
    assert begun.rows[0].after["old"] == "a"

    with pytest.raises(FloeError) as expired:
        compare(duckdb_conn, name, (1, second))
    assert expired.value.code is Code.SQL_FAILED
    assert "cannot be compared" in expired.value.what
