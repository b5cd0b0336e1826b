"""The state that tests begin with, built once for the whole run."""

from datetime import datetime
from pathlib import Path

from orders_pipeline.load import load

from floe_dev.testing import floe_template

DBT = Path(__file__).resolve().parent.parent / "dbt"
MONDAY = datetime(2026, 1, 5)


@floe_template
def two_orders(iceberg_catalog, dbt):
    """Two raw orders, and everything that dbt makes of them."""
    load(iceberg_catalog, [(1, "ada", 20, MONDAY), (2, "bob", 70, MONDAY)])
    dbt(DBT)
