"""Transforms in Python, for what SQL says badly: pure functions from Arrow to Arrow, without any orchestrator."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

#: Orders from which a customer counts as regular.
REGULAR_ORDERS = 5
#: Revenue (cents) from which a customer counts as valued.
VALUED_CENTS = 400_000


def customer_segments(orders: pa.Table) -> pa.Table:
    """One row for each customer: how much, how often, how lately, and the segment that follows.

    `orders` needs `customer_id`, `total_cents` and `ordered_at`. Recency is counted in days from the last order of all.
    """
    latest = pc.max(orders["ordered_at"])
    grouped = orders.group_by("customer_id").aggregate(
        [("total_cents", "sum"), ("total_cents", "count"), ("ordered_at", "max")]
    )
    revenue, count = grouped["total_cents_sum"], grouped["total_cents_count"]
    segment = pc.case_when(
        pc.make_struct(pc.greater_equal(revenue, VALUED_CENTS), pc.greater_equal(count, REGULAR_ORDERS)),
        pa.scalar("valued"),
        pa.scalar("regular"),
        pa.scalar("occasional"),
    )
    table = pa.table(
        {
            "customer_id": grouped["customer_id"],
            "orders": count,
            "revenue_cents": pc.cast(revenue, pa.int64()),
            "days_since_last_order": pc.days_between(grouped["ordered_at_max"], latest),
            "segment": segment,
        }
    )
    return table.sort_by("customer_id")
