"""The one module that knows Dagster: the shop's functions as assets, named as their tables in the catalog."""

import dagster as dg
import pyarrow as pa

from . import ingestion, transforms
from .sizes import Sizes

_PII = {"classification": "pii", "owner": "data-platform"}
_INTERNAL = {"classification": "internal", "owner": "data-platform"}


@dg.asset(key=["bronze", "raw_customers"], group_name="ingestion", kinds={"python", "iceberg"}, metadata=_PII)
def raw_customers() -> pa.RecordBatchReader:
    """Everybody who ever signed up, as the shop system has them."""
    return ingestion.customers(Sizes.from_environment())


@dg.asset(key=["bronze", "raw_orders"], group_name="ingestion", kinds={"python", "iceberg"}, metadata=_INTERNAL)
def raw_orders() -> pa.RecordBatchReader:
    """Orders as the shop system has them."""
    return ingestion.orders(Sizes.from_environment())


@dg.asset(key=["bronze", "raw_payments"], group_name="ingestion", kinds={"python", "iceberg"}, metadata=_INTERNAL)
def raw_payments() -> pa.RecordBatchReader:
    """Payments as the payment provider reports them."""
    return ingestion.payments(Sizes.from_environment())


@dg.asset(key=["bronze", "raw_events"], group_name="ingestion", kinds={"python", "iceberg"}, metadata=_INTERNAL)
def raw_events() -> pa.RecordBatchReader:
    """Events of the web site."""
    return ingestion.events(Sizes.from_environment())


@dg.asset(
    key=["silver", "daily_sessions"],
    group_name="marts",
    kinds={"python", "iceberg"},
    metadata={"classification": "internal", "owner": "web", "partition_expr": "day"},
    backfill_policy=dg.BackfillPolicy.single_run(),
    ins={
        "events": dg.AssetIn(
            key=["silver", "events"], metadata={"columns": ["customer_id", "event_type", "occurred_at"]}
        )
    },
)
def daily_sessions(context: dg.AssetExecutionContext, events: pa.Table) -> pa.Table:
    """Who visited on which day and what came of it; floe.yaml cuts it into days."""
    window = context.partition_time_window
    return transforms.daily_sessions(events, window.start, window.end)


@dg.asset(
    key=["gold", "customer_segments"],
    group_name="marts",
    kinds={"python", "iceberg"},
    metadata={"classification": "internal", "owner": "marketing"},
    ins={
        "orders": dg.AssetIn(
            key=["silver", "orders"], metadata={"columns": ["customer_id", "total_cents", "ordered_at"]}
        )
    },
)
def customer_segments(orders: pa.Table) -> pa.Table:
    """Who buys much, often or lately: the segments that marketing addresses."""
    return transforms.customer_segments(orders)
