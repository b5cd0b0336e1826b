"""The code location that Dagster loads: everything is declared in floe.yaml."""

from pathlib import Path

from floe_dev.orchestrators.dagster import build_definitions

defs = build_definitions(Path(__file__).parent)
