"""Where dbt looks for the adapter `floe`; the code is in floe_dev.dbt.adapter."""

from floe_dev.dbt.adapter import Plugin

__all__ = ["Plugin"]
