"""The version dbt reports for the adapter."""

from floe_dev import __version__ as version

__all__ = ["version"]
