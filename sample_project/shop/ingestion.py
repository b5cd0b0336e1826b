"""The shop's source systems: pure functions that stream raw tables as Arrow, without any orchestrator.

Every value is drawn from a seeded generator, column by column and chunk by chunk: the same size gives the same rows,
and ten million orders need no more memory than a quarter of a million.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from .sizes import DAYS, FIRST_DAY, Sizes

CHUNK_ROWS = 250_000
SEED = 20250101

_COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "SE", "PL", "GB", "US", "JP")
_FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Margaret", "Dennis")
_LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Backus", "Hamilton", "Ritchie")
_PRODUCTS = ("espresso", "filter", "decaf", "grinder", "kettle", "mug", "beans-1kg", "beans-250g")
_STATUSES = ("completed", "completed", "completed", "completed", "shipped", "shipped", "placed", "returned")
_METHODS = ("card", "card", "card", "paypal", "invoice", "gift_card")
_PAYMENT_STATUSES = ("settled", "settled", "settled", "settled", "settled", "settled", "pending", "failed")
_EVENTS = ("view", "view", "view", "search", "add_to_cart", "checkout")
_PAGES = ("/", "/coffee", "/gear", "/cart", "/checkout", "/help")

CUSTOMERS = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("email", pa.string()),
        ("country", pa.string()),
        ("signed_up_at", pa.timestamp("us")),
        ("marketing_opt_in", pa.bool_()),
    ]
)
ORDERS = pa.schema(
    [
        ("id", pa.int64()),
        ("customer_id", pa.int64()),
        ("product", pa.string()),
        ("quantity", pa.int32()),
        ("unit_price_cents", pa.int64()),
        ("status", pa.string()),
        ("ordered_at", pa.timestamp("us")),
    ]
)
PAYMENTS = pa.schema(
    [
        ("id", pa.int64()),
        ("order_id", pa.int64()),
        ("method", pa.string()),
        ("share", pa.float64()),
        ("status", pa.string()),
        ("paid_at", pa.timestamp("us")),
    ]
)
EVENTS = pa.schema(
    [
        ("id", pa.int64()),
        ("customer_id", pa.int64()),
        ("event_type", pa.string()),
        ("page", pa.string()),
        ("occurred_at", pa.timestamp("us")),
    ]
)


def customers(sizes: Sizes) -> pa.RecordBatchReader:
    """Everybody who ever signed up."""

    def rows(draw: Draw) -> Sequence[pa.Array]:
        first, last = draw.pick("first", _FIRST), draw.pick("last", _LAST)
        ids = pc.cast(draw.ids, pa.string())
        email = pc.binary_join_element_wise(pc.utf8_lower(first), ids, pa.scalar("@example.com"), pa.scalar(""))
        return (
            draw.ids,
            pc.binary_join_element_wise(first, last, pa.scalar(" ")),
            email,
            draw.pick("country", _COUNTRIES),
            draw.moment("signed_up_at", FIRST_DAY - dt.timedelta(days=365), 365),
            pc.less(draw.uniform("opt_in"), 0.4),
        )

    return _stream(CUSTOMERS, "customers", sizes.customers, rows)


def orders(sizes: Sizes) -> pa.RecordBatchReader:
    """Every order of the shop's thirty days."""

    def rows(draw: Draw) -> Sequence[pa.Array]:
        return (
            draw.ids,
            draw.integer("customer", 1, sizes.customers),
            draw.pick("product", _PRODUCTS),
            pc.cast(draw.integer("quantity", 1, 5), pa.int32()),
            draw.integer("price", 350, 24_900),
            draw.pick("status", _STATUSES),
            draw.moment("ordered_at", FIRST_DAY, DAYS),
        )

    return _stream(ORDERS, "orders", sizes.orders, rows)


def payments(sizes: Sizes) -> pa.RecordBatchReader:
    """What was paid for them: `share` is the part of the order's total that this payment covers."""
    split = sizes.orders // 20

    def rows(draw: Draw) -> Sequence[pa.Array]:
        # Payments beyond the number of orders are the second halves of the first `split` orders.
        second = pc.greater(draw.ids, sizes.orders)
        order = pc.if_else(second, pc.subtract(draw.ids, sizes.orders), draw.ids)
        halved = pc.less_equal(order, split)
        return (
            draw.ids,
            order,
            draw.pick("method", _METHODS),
            pc.if_else(halved, 0.5, 1.0),
            draw.pick("status", _PAYMENT_STATUSES),
            draw.moment("paid_at", FIRST_DAY, DAYS + 2),
        )

    return _stream(PAYMENTS, "payments", sizes.payments, rows)


def events(sizes: Sizes) -> pa.RecordBatchReader:
    """What customers did on the web site."""

    def rows(draw: Draw) -> Sequence[pa.Array]:
        return (
            draw.ids,
            draw.integer("customer", 1, sizes.customers),
            draw.pick("type", _EVENTS),
            draw.pick("page", _PAGES),
            draw.moment("occurred_at", FIRST_DAY, DAYS),
        )

    return _stream(EVENTS, "events", sizes.events, rows)


class Draw:
    """Random columns of one chunk; each column has a seed of its own, so that adding one changes no other."""

    def __init__(self, table: str, first: int, rows: int) -> None:
        self.ids = pa.array(range(first + 1, first + rows + 1), pa.int64())
        self._table, self._first, self._rows = table, first, rows

    def uniform(self, column: str) -> pa.Array:
        """Numbers in [0, 1)."""
        seed = zlib.crc32(f"{SEED}/{self._table}/{column}/{self._first}".encode())
        return pc.random(self._rows, initializer=seed)

    def integer(self, column: str, low: int, high: int) -> pa.Array:
        """Whole numbers from `low` to `high`, both included."""
        scaled = pc.floor(pc.multiply(self.uniform(column), float(high - low + 1)))
        return pc.add(pc.cast(scaled, pa.int64()), low)

    def pick(self, column: str, values: Sequence[str]) -> pa.Array:
        """One of `values`; repeat a value to make it likelier."""
        return pa.array(values).take(self.integer(column, 0, len(values) - 1))

    def moment(self, column: str, start: dt.datetime, days: int) -> pa.Array:
        """A second of the `days` days from `start`."""
        seconds = self.integer(column, 0, days * 86_400 - 1)
        first = pa.scalar(start, pa.timestamp("us"))
        return pc.add(first, pc.cast(pc.multiply(seconds, 1_000_000), pa.duration("us")))


def _stream(
    schema: pa.Schema, table: str, rows: int, make: Callable[[Draw], Sequence[pa.Array]]
) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, rows, CHUNK_ROWS):
            arrays = make(Draw(table, first, min(CHUNK_ROWS, rows - first)))
            yield pa.record_batch(list(arrays), schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
