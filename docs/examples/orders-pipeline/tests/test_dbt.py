"""The incremental model: what a second run adds, changes and leaves alone."""

from datetime import timedelta

import pytest
from orders_pipeline.load import load

from floe_dev.testing import assert_table

from .conftest import DBT, MONDAY

pytestmark = pytest.mark.floe(template="two_orders")
TUESDAY = MONDAY + timedelta(days=1)


def test_the_template_has_two_orders(lakehouse):
    assert_table(lakehouse.table("orders")).has_rows(2)


def test_a_new_order_is_added(lakehouse, iceberg_catalog, dbt):
    load(iceberg_catalog, [(3, "ada", 5, TUESDAY)])
    run = dbt(DBT)
    assert run.status("orders") == "success"
    assert_table(lakehouse.table("revenue")).equals(
        [{"customer": "ada", "revenue": 25}, {"customer": "bob", "revenue": 70}], key="customer"
    )


def test_a_changed_order_replaces_the_old_one(lakehouse, iceberg_catalog, dbt):
    load(iceberg_catalog, [(2, "bob", 100, TUESDAY)])
    dbt(DBT)
    found = lakehouse.table("orders").scan(row_filter="order_id = 2").to_arrow()
    assert_table(found.select(["order_id", "amount"])).equals([{"order_id": 2, "amount": 100}])


def test_a_run_without_news_writes_no_rows(lakehouse, dbt):
    before = lakehouse.table("orders").scan().to_arrow()
    run = dbt(DBT, "run", "--select", "orders")
    assert_table(lakehouse.table("orders")).equals(before, key="order_id")
    (span,) = [span for span in run.trace.spans if span.name == "model orders"]
    assert span.attributes["floe.dbt.status"] == "success"


def test_lineage_says_what_revenue_is_made_from(dbt):
    run = dbt(DBT, "run")
    assert run.lineage.upstream("test.revenue") == {"test.orders"}
    assert run.lineage.upstream("test.orders") == {"raw.orders"}


@pytest.mark.parametrize("number", range(4))
def test_tests_see_nothing_of_each_other(lakehouse, iceberg_catalog, dbt, number):
    load(iceberg_catalog, [(100 + number, "eve", number, TUESDAY)])
    dbt(DBT, "run")
    ids = set(lakehouse.table("orders").scan().to_arrow()["order_id"].to_pylist())
    assert ids == {1, 2, 100 + number}
