"""A real lakehouse in every test: the pytest plugin, its fixtures' factories, templates and assertions on tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from floe_dev.testing.assertions import assert_table
    from floe_dev.testing.factories import template as floe_template

__all__ = ["assert_table", "floe_template"]


def __getattr__(name: str) -> Any:
    """Imported when they are used: pytest loads this package in every run."""
    if name == "assert_table":
        from floe_dev.testing.assertions import assert_table

        return assert_table
    if name == "floe_template":
        from floe_dev.testing.factories import template

        return template
    raise AttributeError(name)
