"""floe_dev: a local launcher for a data lakehouse (Iceberg catalog, Dagster, dbt, DuckDB)."""

__version__ = "0.1.0"
