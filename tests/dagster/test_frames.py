"""Python assets against a real catalog: each kind of data frame, and each kind of partition."""

import datetime as dt
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from floe_dev.model.connection import CatalogConnection
from floe_dev.model.project import Partitions
from floe_dev.orchestrators.dagster.partitions import partitions_definition
from floe_dev.orchestrators.dagster.resources import IcebergIOManager
from floe_dev.testing import factories
from floe_dev.testing.lakehouse import Lakehouse

lake = factories.lakehouse(scope="module")


@pytest.fixture(scope="module")
def connection(lake: Lakehouse) -> CatalogConnection:
    lake.iceberg().create_namespace("silver")
    return lake.connection


@pytest.fixture
def catalog(connection: CatalogConnection) -> Catalog:
    return load_catalog("frames", **connection.pyiceberg_properties())


def io_manager(connection: CatalogConnection) -> IcebergIOManager:
    credential = connection.credential
    return IcebergIOManager(
        uri=connection.uri,
        warehouse=connection.warehouse,
        client_id=credential.client_id,
        client_secret=credential.client_secret.get_secret_value(),
    )


def make(connection: CatalogConnection, *assets: Any, **options: Any) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"io_manager": io_manager(connection)}
        assert dg.materialize([*assets], resources=resources, instance=instance, **options).success


def test_arrow_pandas_and_polars_are_written_and_read(connection: CatalogConnection, catalog: Catalog) -> None:
    @dg.asset(key=["silver", "arrow"])
    def arrow() -> pa.Table:
        return pa.table({"n": [1, 2, 3], "name": ["a", "b", None]})

    @dg.asset(key=["silver", "from_pandas"], ins={"arrow": dg.AssetIn(key=["silver", "arrow"])})
    def from_pandas(arrow: pd.DataFrame) -> pd.DataFrame:
        assert isinstance(arrow, pd.DataFrame)
        return arrow.assign(n=arrow["n"] * 10)

    @dg.asset(key=["silver", "from_polars"], ins={"frame": dg.AssetIn(key=["silver", "from_pandas"])})
    def from_polars(frame: pl.DataFrame) -> pl.DataFrame:
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(n=pl.col("n") + 1)

    @dg.asset(key=["silver", "streamed"], ins={"frame": dg.AssetIn(key=["silver", "from_polars"])})
    def streamed(frame: pa.Table) -> pa.RecordBatchReader:
        return frame.to_reader()

    make(connection, arrow, from_pandas, from_polars, streamed)
    found = catalog.load_table("silver.streamed").scan().to_arrow().sort_by("n")
    assert found.to_pydict() == {"n": [11, 21, 31], "name": ["a", "b", None]}
    assert len(catalog.load_table("silver.from_polars").snapshots()) == 1, "one commit"


KINDS = [
    (Partitions(type="hourly", start="2025-01-01", end="2025-01-02"), "2025-01-01-05:00", "2025-01-01-06:00", 1),
    (Partitions(type="daily", start="2025-01-01", end="2025-01-20"), "2025-01-05", "2025-01-06", 24),
    (Partitions(type="weekly", start="2025-01-05", end="2025-03-01"), "2025-01-12", "2025-01-19", 168),
    (Partitions(type="monthly", start="2025-01-01", end="2025-06-01"), "2025-02-01", "2025-03-01", None),
]


@pytest.mark.parametrize(("kind", "first", "second", "hours"), KINDS, ids=lambda value: getattr(value, "type", None))
def test_a_partition_by_time_replaces_its_own_rows_only(
    connection: CatalogConnection, catalog: Catalog, kind: Partitions, first: str, second: str, hours: int | None
) -> None:
    rounds = iter([1, 2, 3])

    def of_time(context: dg.AssetExecutionContext) -> pa.Table:
        window, number = context.partition_time_window, next(rounds)
        end = window.end.replace(tzinfo=None) - dt.timedelta(seconds=1)
        moments = [window.start.replace(tzinfo=None), end]
        return pa.table({"at": pa.array(moments, pa.timestamp("us")), "round": [number, number]})

    name = f"by_{kind.type}"
    asset = dg.asset(
        key=["silver", name], partitions_def=partitions_definition(kind), metadata={"partition_expr": "at"}
    )(of_time)
    for key in (first, second, first):
        make(connection, asset, partition_key=key)
    rows = catalog.load_table(f"silver.{name}").scan().to_arrow().sort_by("at").to_pylist()
    assert [row["round"] for row in rows] == [3, 3, 2, 2], "the first was made again, the second stayed"
    assert rows[1]["at"] < rows[2]["at"]
    if hours is not None:
        assert rows[1]["at"] - rows[0]["at"] == dt.timedelta(hours=hours) - dt.timedelta(seconds=1)


def test_a_static_partition_replaces_its_own_rows_only(connection: CatalogConnection, catalog: Catalog) -> None:
    rounds = iter([1, 2, 3])

    def by_country(context: dg.AssetExecutionContext) -> pa.Table:
        return pa.table({"country": [context.partition_key], "round": [next(rounds)]})

    asset = dg.asset(
        key=["silver", "by_country"],
        partitions_def=partitions_definition(Partitions(type="static", keys=("DE", "FR"))),
        metadata={"partition_expr": "country"},
    )(by_country)
    for key in ("DE", "FR", "DE"):
        make(connection, asset, partition_key=key)
    rows = catalog.load_table("silver.by_country").scan().to_arrow().sort_by("country").to_pylist()
    assert rows == [{"country": "DE", "round": 3}, {"country": "FR", "round": 2}]
