"""A small shop's own Python: ingestion and transforms are pure functions, `assets` wraps them for Dagster."""
