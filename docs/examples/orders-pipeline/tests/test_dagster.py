"""The assets, materialized by the real Dagster into the test's lakehouse."""

import pytest
from orders_pipeline import assets

from floe_dev.testing import assert_table

pytestmark = pytest.mark.floe(template="two_orders")


def test_big_orders_and_their_customers(materialize, lakehouse, iceberg_catalog):
    run = materialize([assets.big_orders, assets.big_customers], resources={"catalog": iceberg_catalog})
    assert run.assets == ("test/big_customers", "test/big_orders")
    assert_table(lakehouse.table("big_orders")).has_rows(1)
    assert_table(lakehouse.table("big_customers")).equals([{"customer": "bob", "amount_sum": 70}])
    assert ("test.big_orders", "test.big_customers") in run.lineage.edges


def test_a_failure_names_the_asset(materialize):
    with pytest.raises(AssertionError, match="big_orders"):
        materialize([assets.big_orders], resources={"catalog": None})
