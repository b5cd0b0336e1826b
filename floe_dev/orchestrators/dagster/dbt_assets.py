"""The dbt project's models, seeds and snapshots as assets; its tests as checks."""

import os
from collections.abc import Iterator
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

from floe_dev.model.project import Project
from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator

#: What the dbt adapter writes into each snapshot's summary as `floe.run-id`.
RUN_ID_VARIABLE = "FLOE_RUN_ID"


def project_dbt_assets(
    project: Project, dbt_project: DbtProject, translator: FloeDbtTranslator | None = None
) -> AssetsDefinition:
    """All nodes of the manifest that floe.yaml's `orchestration.dbt` selects, built by one `dbt build` a run."""
    options = project.spec.orchestration.dbt

    @dbt_assets(
        manifest=dbt_project.manifest_path,
        select=options.select,
        exclude=options.exclude or "",
        dagster_dbt_translator=translator or FloeDbtTranslator(),
        project=dbt_project,
        name=f"{project.spec.name.replace('-', '_')}_dbt",
    )
    def build(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        # dbt inherits the environment; a run has a process of its own, so no other run can see this value.
        os.environ[RUN_ID_VARIABLE] = context.run.run_id
        yield from dbt.cli(["build"], context=context).stream()

    return build
