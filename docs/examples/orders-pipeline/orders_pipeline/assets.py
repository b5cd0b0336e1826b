"""Two Dagster assets that become the Iceberg tables `test.big_orders` and `test.big_customers`."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc


@dg.asset(key_prefix="test", deps=[dg.AssetKey(["raw", "orders"])])
def big_orders(catalog: dg.ResourceParam[object]) -> pa.Table:
    """Orders of 50 and more."""
    orders = catalog.load_table("raw.orders").scan().to_arrow()
    return orders.filter(pc.field("amount") >= 50)


@dg.asset(key_prefix="test", ins={"big_orders": dg.AssetIn(key=["test", "big_orders"])})
def big_customers(big_orders: pa.Table) -> pa.Table:
    """Who placed them."""
    return big_orders.group_by("customer").aggregate([("amount", "sum")])
