"""The clients people use, against the real server: PyIceberg's RestCatalog, DuckDB's ATTACH, a plain SqlCatalog."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import DateType, LongType, NestedField, StringType

from floe_dev.compute.duckdb import attach_sql, load_extensions
from tests.catalog.conftest import Space
from tests.catalog.server import Principal

SCHEMA = Schema(
    NestedField(1, "id", LongType()), NestedField(2, "day", DateType()), NestedField(3, "name", StringType())
)
DAY = dt.date(2026, 1, 1)


def rows(start: int, count: int) -> pa.Table:
    ids = list(range(start, start + count))
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "day": pa.array([DAY + dt.timedelta(days=number % 3) for number in ids], pa.date32()),
            "name": pa.array([f"n{number}" for number in ids], pa.string()),
        }
    )


def rest_catalog(space: Space, principal: Principal | None = None) -> Catalog:
    connection = space.server.connection(space.catalog, principal or space.owner)
    return load_catalog("rest", **connection.pyiceberg_properties())


@pytest.fixture
def catalog(space: Space) -> Catalog:
    return rest_catalog(space)


@pytest.fixture
def duck(space: Space) -> Iterator[duckdb.DuckDBPyConnection]:
    space.make_namespace("raw")
    with duckdb.connect() as database:
        load_extensions(database)
        database.execute(attach_sql(space.server.connection(space.catalog, space.owner)))
        database.execute("USE polaris_catalog.raw")
        yield database


def value(database: duckdb.DuckDBPyConnection, statement: str) -> Any:
    row = database.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_pyiceberg_namespaces(catalog: Catalog) -> None:
    catalog.create_namespace("raw", {"owner": "a"})
    catalog.create_namespace(("raw", "eu"))
    assert catalog.list_namespaces() == [("raw",)]
    assert catalog.list_namespaces("raw") == [("raw", "eu")]
    assert catalog.namespace_exists(("raw", "eu"))
    summary = catalog.update_namespace_properties("raw", {"owner"}, {"k": "v"})
    assert (summary.removed, summary.updated) == (["owner"], ["k"])
    catalog.drop_namespace(("raw", "eu"))
    assert not catalog.namespace_exists(("raw", "eu"))


def test_pyiceberg_writes_evolves_and_reads_a_partitioned_table(catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    spec = PartitionSpec(PartitionField(2, 1000, DayTransform(), "by_day"))
    table = catalog.create_table("raw.t", SCHEMA, partition_spec=spec, properties={"p": "1"})
    table.append(rows(0, 10))
    table.append(rows(10, 5), snapshot_properties={"floe.run": "r1"})
    with table.update_schema() as update:
        update.add_column("extra", StringType())
        update.rename_column("name", "label")
    with table.transaction() as transaction:
        transaction.set_properties({"q": "2"})
        transaction.delete("id < 3")
    table = catalog.load_table("raw.t")
    assert table.scan().to_arrow().num_rows == 12
    assert {field.name for field in table.schema().fields} == {"id", "day", "label", "extra"}
    assert table.properties["q"] == "2"
    summaries = [snapshot.summary.additional_properties for snapshot in table.snapshots() if snapshot.summary]
    assert any(summary.get("floe.run") == "r1" for summary in summaries)
    with table.update_spec() as spec_update:
        spec_update.add_identity("id")
    with table.update_sort_order() as order:
        order.asc("id", IdentityTransform())
    with table.manage_snapshots() as manage:
        current = table.current_snapshot()
        assert current is not None
        manage.create_tag(current.snapshot_id, "v1")
    reloaded = catalog.load_table("raw.t")
    assert reloaded.refs()["v1"].snapshot_id == current.snapshot_id
    assert len(reloaded.spec().fields) == 2


def test_pyiceberg_overwrite_keeps_history(catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    table = catalog.create_table("raw.t", SCHEMA)
    for turn in range(3):
        table.overwrite(rows(turn * 10, 10))
    table = catalog.load_table("raw.t")
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(20, 30))
    first = table.history()[0].snapshot_id
    assert table.scan(snapshot_id=first).to_arrow().num_rows == 10


def test_pyiceberg_staged_create_rename_register_and_drop(catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    with catalog.create_table_transaction("raw.t", SCHEMA) as transaction:
        transaction.append(rows(0, 4))
    assert catalog.load_table("raw.t").scan().to_arrow().num_rows == 4
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table("raw.t", SCHEMA)
    catalog.rename_table("raw.t", "raw.u")
    assert catalog.list_tables("raw") == [("raw", "u")]
    location = catalog.load_table("raw.u").metadata_location
    catalog.drop_table("raw.u")
    assert not catalog.table_exists("raw.u")
    assert catalog.register_table("raw.again", location).scan().to_arrow().num_rows == 4
    catalog.purge_table("raw.again")
    with pytest.raises(NoSuchTableError):
        catalog.load_table("raw.again")


def test_pyiceberg_sees_the_conflict_of_a_stale_table(catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    mine = catalog.create_table("raw.t", SCHEMA)
    theirs = catalog.load_table("raw.t")
    theirs.append(rows(0, 3))
    with pytest.raises(CommitFailedException):
        mine.append(rows(3, 3))
    mine.refresh()
    mine.append(rows(3, 3))
    assert catalog.load_table("raw.t").scan().to_arrow().num_rows == 6


def test_pyiceberg_appends_from_many_threads_lose_nothing(space: Space, catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    catalog.create_table("raw.t", SCHEMA)

    def append(number: int) -> None:
        own = rest_catalog(space)
        for _ in range(50):
            try:
                own.load_table("raw.t").append(rows(number * 10, 10))
            except CommitFailedException:
                continue
            return
        raise AssertionError("starved")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    assert sorted(catalog.load_table("raw.t").scan().to_arrow()["id"].to_pylist()) == list(range(40))


def test_pyiceberg_that_asks_for_vended_credentials_is_served(space: Space) -> None:
    """PyIceberg asks unless told otherwise; files need none, so the answer has none."""
    settings = space.server.connection(space.catalog, space.owner).pyiceberg_properties()
    del settings["header.X-Iceberg-Access-Delegation"]
    catalog = load_catalog("rest", **settings)
    catalog.create_namespace("raw")
    catalog.create_table("raw.t", SCHEMA).append(rows(0, 2))
    assert catalog.load_table("raw.t").scan().to_arrow().num_rows == 2


def test_duckdb_creates_writes_and_reads(duck: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    duck.execute("CREATE TABLE t AS SELECT range AS id, 'n' || range AS name FROM range(100)")
    duck.execute("INSERT INTO t SELECT range, 'm' FROM range(100, 110)")
    assert value(duck, "SELECT count(*) FROM t") == 110
    duck.execute("CREATE TABLE u (id BIGINT, day DATE)")
    duck.execute("INSERT INTO u VALUES (1, DATE '2026-01-01'), (2, DATE '2026-01-02')")
    duck.execute("DELETE FROM u WHERE id = 1")
    duck.execute("ALTER TABLE u ADD COLUMN x VARCHAR")
    assert duck.execute("SELECT id, x FROM u").fetchall() == [(2, None)]
    assert catalog.load_table("raw.t").scan().to_arrow().num_rows == 110
    assert [field.name for field in catalog.load_table("raw.u").schema().fields] == ["id", "day", "x"]
    duck.execute("DROP TABLE u")
    assert not catalog.table_exists("raw.u")


def test_duckdb_commits_several_tables_in_one_transaction(duck: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    duck.execute("CREATE TABLE a (id BIGINT)")
    duck.execute("CREATE TABLE b (id BIGINT)")
    duck.execute("BEGIN")
    duck.execute("INSERT INTO a VALUES (1)")
    duck.execute("INSERT INTO b VALUES (1), (2)")
    assert catalog.load_table("raw.a").scan().to_arrow().num_rows == 0
    duck.execute("COMMIT")
    assert catalog.load_table("raw.a").scan().to_arrow().num_rows == 1
    assert catalog.load_table("raw.b").scan().to_arrow().num_rows == 2
    duck.execute("BEGIN")
    duck.execute("INSERT INTO a VALUES (2)")
    duck.execute("ROLLBACK")
    assert catalog.load_table("raw.a").scan().to_arrow().num_rows == 1


def test_duckdb_reads_what_pyiceberg_wrote_and_its_history(duck: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    table = catalog.create_table("raw.t", SCHEMA)
    table.append(rows(0, 5))
    first = table.current_snapshot()
    table.append(rows(5, 5))
    assert first is not None
    assert value(duck, "SELECT sum(id) FROM t") == 45
    assert value(duck, f"SELECT count(*) FROM t AT (VERSION => {first.snapshot_id})") == 5


def test_duckdb_names_with_spaces_and_unicode(duck: duckdb.DuckDBPyConnection) -> None:
    duck.execute('CREATE SCHEMA polaris_catalog."süß b"')
    duck.execute('USE polaris_catalog."süß b"')
    duck.execute('CREATE TABLE "tä ble" AS SELECT 1 AS "ö x"')
    assert value(duck, 'SELECT "ö x" FROM "tä ble"') == 1
    duck.execute('DROP TABLE "tä ble"')


def test_a_reader_reads_through_duckdb_and_cannot_write(space: Space, catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    catalog.create_table("raw.t", SCHEMA).append(rows(0, 5))
    reader = space.add_principal(
        "reader",
        "NAMESPACE_LIST",
        "NAMESPACE_READ_PROPERTIES",
        "TABLE_LIST",
        "TABLE_READ_PROPERTIES",
        "TABLE_READ_DATA",
    )
    with duckdb.connect() as database:
        load_extensions(database)
        database.execute(attach_sql(space.server.connection(space.catalog, reader)))
        assert value(database, "SELECT count(*) FROM polaris_catalog.raw.t") == 5
        with pytest.raises(duckdb.Error):
            database.execute("INSERT INTO polaris_catalog.raw.t VALUES (1, NULL, 'x')")
        with pytest.raises(duckdb.Error):
            database.execute("DROP TABLE polaris_catalog.raw.t")
    assert catalog.load_table("raw.t").scan().to_arrow().num_rows == 5


def test_a_plain_sql_catalog_opens_the_same_database(space: Space, catalog: Catalog) -> None:
    catalog.create_namespace("raw")
    catalog.create_namespace(("raw", "eu"), {"owner": "a"})
    catalog.create_table("raw.eu.t", SCHEMA).append(rows(0, 5))
    plain = SqlCatalog(space.catalog, uri=space.server.sqlalchemy_url())
    assert ("raw",) in plain.list_namespaces()
    assert plain.list_tables("raw.eu") == [("raw", "eu", "t")]
    assert plain.load_namespace_properties("raw.eu")["owner"] == "a"
    plain.load_table("raw.eu.t").append(rows(5, 5))
    assert catalog.load_table("raw.eu.t").scan().to_arrow().num_rows == 10
    plain.create_table("raw.eu.made", SCHEMA)
    assert catalog.table_exists("raw.eu.made")
    plain.close()
