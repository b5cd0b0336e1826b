"""The loader, on a lakehouse without anything in it, and DuckDB on what it wrote."""

import pytest
from orders_pipeline.load import load

from floe_dev.testing import assert_table

from .conftest import MONDAY


def test_the_first_load_makes_the_table(iceberg_catalog, lakehouse):
    assert load(iceberg_catalog, [(1, "ada", 20, MONDAY)]) == 1
    assert_table(iceberg_catalog.load_table("raw.orders")).has_rows(1).matches(
        {"order_id": "int64", "customer": "string", "amount": "int64", "updated_at": "timestamp[us]"}
    )


def test_duckdb_reads_it(iceberg_catalog, duckdb_conn):
    load(iceberg_catalog, [(1, "ada", 20, MONDAY), (2, "bob", 1, MONDAY)])
    assert_table(duckdb_conn.sql("select sum(amount)::int as total from polaris_catalog.raw.orders")).equals(
        [{"total": 21}]
    )


def test_a_rollback_takes_it_back(iceberg_catalog, lakehouse):
    load(iceberg_catalog, [(1, "ada", 20, MONDAY)])
    before = lakehouse.snapshot()
    load(iceberg_catalog, [(2, "bob", 1, MONDAY)])
    lakehouse.rollback(before)
    assert_table(iceberg_catalog.load_table("raw.orders")).has_rows(1)


@pytest.mark.parametrize("number", range(8))
def test_every_test_begins_empty(iceberg_catalog, number):
    assert iceberg_catalog.list_namespaces() == [("test",)]
    load(iceberg_catalog, [(number, "x", number, MONDAY)])
