"""How much data the shop has; one number, FLOE_SAMPLE_ORDERS, decides."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLE = "FLOE_SAMPLE_ORDERS"
DEFAULT_ORDERS = 5_000
#: The shop's days: fixed, so that the same setting always gives the same tables.
FIRST_DAY = dt.datetime(2025, 1, 1)  # noqa: DTZ001 - the shop's clock has no zone
DAYS = 30


@dataclass(frozen=True)
class Sizes:
    """Rows of each raw table."""

    orders: int = DEFAULT_ORDERS

    @property
    def customers(self) -> int:
        """One customer for ten orders, at least twenty."""
        return max(20, self.orders // 10)

    @property
    def payments(self) -> int:
        """One for each order; of those every twentieth order was paid in two parts."""
        return self.orders + self.orders // 20

    @property
    def events(self) -> int:
        """Two page events for each order."""
        return 2 * self.orders

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Sizes:
        """The sizes that FLOE_SAMPLE_ORDERS asks for; raises ValueError where it is no number above zero."""
        text = environ.get(VARIABLE, "").replace("_", "").strip() or str(DEFAULT_ORDERS)
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"{VARIABLE} is {environ[VARIABLE]!r}; write a number above zero, such as 10_000_000")
        return cls(int(text))
