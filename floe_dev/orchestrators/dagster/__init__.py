"""The Dagster side of a project: definitions from floe.yaml, and the pieces to write them by hand.

Names are imported when they are first used: importing dagster costs more than a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from floe_dev.config.project import load_project
    from floe_dev.orchestrators.dagster.automation import project_automation
    from floe_dev.orchestrators.dagster.dbt_assets import project_dbt_assets
    from floe_dev.orchestrators.dagster.dbt_project import dagster_dbt_project, dbt_resource
    from floe_dev.orchestrators.dagster.definitions import build_definitions
    from floe_dev.orchestrators.dagster.partitions import dbt_arguments, partitions_definition
    from floe_dev.orchestrators.dagster.resources import IcebergIOManager, project_resources
    from floe_dev.orchestrators.dagster.source_freshness import source_freshness_checks
    from floe_dev.orchestrators.dagster.translator import FloeDbTranslator, FloeDbtTranslator

__all__ = [
    "FloeDbTranslator",
    "FloeDbtTranslator",
    "IcebergIOManager",
    "build_definitions",
    "dagster_dbt_project",
    "dbt_arguments",
    "dbt_resource",
    "load_project",
    "partitions_definition",
    "project_automation",
    "project_dbt_assets",
    "project_resources",
    "source_freshness_checks",
]

_HERE = "floe_dev.orchestrators.dagster"
_HOMES = {
    "FloeDbTranslator": f"{_HERE}.translator",
    "FloeDbtTranslator": f"{_HERE}.translator",
    "IcebergIOManager": f"{_HERE}.resources",
    "project_automation": f"{_HERE}.automation",
    "build_definitions": f"{_HERE}.definitions",
    "dagster_dbt_project": f"{_HERE}.dbt_project",
    "dbt_arguments": f"{_HERE}.partitions",
    "dbt_resource": f"{_HERE}.dbt_project",
    "load_project": "floe_dev.config.project",
    "partitions_definition": f"{_HERE}.partitions",
    "project_dbt_assets": f"{_HERE}.dbt_assets",
    "project_resources": f"{_HERE}.resources",
    "source_freshness_checks": f"{_HERE}.source_freshness",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
