"""The dbt adapter against a real catalog server."""
