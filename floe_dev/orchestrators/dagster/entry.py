"""The code location of a project that has no definitions.py of its own."""

from __future__ import annotations

from floe_dev.orchestrators.dagster.definitions import build_definitions

defs = build_definitions()
