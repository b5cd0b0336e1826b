"""The dbt side: the adapter that writes Iceberg through the catalog, and the profile that selects it."""
