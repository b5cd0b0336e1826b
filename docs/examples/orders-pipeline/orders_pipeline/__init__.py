"""A small pipeline: Dagster assets and a loader."""
