"""floe_dev: a local launcher for a data lakehouse (Iceberg catalog, Dagster, dbt, DuckDB)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from floe_dev.session import Session

__all__ = ["Session"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Session`, imported when it is used: every command loads this package."""
    if name == "Session":
        from floe_dev.session import Session

        return Session
    raise AttributeError(name)
