"""Loading orders with PyIceberg."""

from datetime import datetime

import pyarrow as pa
from pyiceberg.catalog import Catalog

SCHEMA = pa.schema(
    [
        pa.field("order_id", pa.int64()),
        pa.field("customer", pa.string()),
        pa.field("amount", pa.int64()),
        pa.field("updated_at", pa.timestamp("us")),
    ]
)


def load(catalog: Catalog, rows: list[tuple[int, str, int, datetime]]) -> int:
    """Append orders to `raw.orders`, made where it is not there; how many."""
    catalog.create_namespace_if_not_exists("raw")
    table = catalog.create_table_if_not_exists("raw.orders", schema=SCHEMA)
    columns = list(zip(*rows, strict=True)) or [[], [], [], []]
    table.append(pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA))
    return len(rows)
