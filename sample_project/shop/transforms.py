"""Transforms in Python, for what SQL says badly: pure functions from Arrow to Arrow, without any orchestrator."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

#: Orders from which a customer counts as regular.
REGULAR_ORDERS = 5
#: Revenue (cents) from which a customer counts as valued.
VALUED_CENTS = 400_000


def daily_sessions(events: pa.Table, start: dt.datetime, end: dt.datetime) -> pa.Table:
    """One row for each customer and day from `start` to `end` (exclusive): events, and whether there was a checkout.

    `events` needs `customer_id`, `event_type` and `occurred_at`.
    """
    bounds = [pa.scalar(moment.replace(tzinfo=None), pa.timestamp("us")) for moment in (start, end)]
    occurred = events["occurred_at"]
    inside = events.filter(pc.and_(pc.greater_equal(occurred, bounds[0]), pc.less(occurred, bounds[1])))
    days = pc.floor_temporal(inside["occurred_at"], unit="day")
    checkout = pc.cast(pc.equal(inside["event_type"], "checkout"), pa.int64())
    grouped = (
        pa.table({"day": days, "customer_id": inside["customer_id"], "checkout": checkout})
        .group_by(["day", "customer_id"])
        .aggregate([([], "count_all"), ("checkout", "max")])
    )
    table = pa.table(
        {
            "day": grouped["day"],
            "customer_id": grouped["customer_id"],
            "events": grouped["count_all"],
            "checked_out": pc.equal(grouped["checkout_max"], 1),
        }
    )
    return table.sort_by([("day", "ascending"), ("customer_id", "ascending")])


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
