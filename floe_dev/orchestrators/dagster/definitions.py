"""From floe.yaml to a whole dagster.Definitions."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

import dagster as dg
from dagster_dbt import DbtProject
from dagster_dbt.dbt_manifest import validate_manifest

from floe_dev.config.project import find_project, load_project, platform_name
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.artifacts import CompiledArtifacts
from floe_dev.model.project import Project
from floe_dev.orchestrators.dagster.asset_lineage import register
from floe_dev.orchestrators.dagster.automation import check_started_jobs, project_automation
from floe_dev.orchestrators.dagster.dbt_assets import project_dbt_assets
from floe_dev.orchestrators.dagster.dbt_project import dagster_dbt_project, dbt_resource
from floe_dev.orchestrators.dagster.deployment import deployed_project
from floe_dev.orchestrators.dagster.graph import check_graph
from floe_dev.orchestrators.dagster.manifest import check_version
from floe_dev.orchestrators.dagster.options import with_options
from floe_dev.orchestrators.dagster.resources import project_resources
from floe_dev.orchestrators.dagster.source_freshness import source_freshness_checks
from floe_dev.orchestrators.dagster.translator import FloeDbtTranslator
from floe_dev.orchestrators.dagster.watch import own_place


def build_definitions(project: Project | CompiledArtifacts | Path | str | None = None) -> dg.Definitions:
    """Everything that floe.yaml declares: the dbt project's assets and checks, the asset modules, the resources.

    `project` is a loaded project, its folder, or what `floe compile` made of it (the artifacts or their file);
    without it FLOE_PROJECT_DIR, else the nearest floe.yaml at or above the working directory. Raises FloeError: 1xxx
    for the configuration, 14xx for the artifacts, 4001 where dbt does not parse, 5001 for an asset module that does
    not import.
    """
    dbt_project: DbtProject | None = None
    if isinstance(project, CompiledArtifacts):
        project, dbt_project = deployed_project(project)
    elif isinstance(project, Path | str) and Path(project).is_file():
        project, dbt_project = deployed_project(Path(project))
    elif not isinstance(project, Project):
        project = load_project(_root(project))
    resources = project_resources(project)
    definitions = [_module_definitions(module) for module in asset_modules(project)]
    register(definitions)
    check_version(project)
    dbt_project = dbt_project or dagster_dbt_project(project)
    if dbt_project is not None:
        translator = FloeDbtTranslator()
        assets = project_dbt_assets(project, dbt_project, translator)
        checks = source_freshness_checks(project, validate_manifest(dbt_project.manifest_path), translator)
        definitions.append(dg.Definitions(assets=assets, asset_checks=checks))
        resources["dbt"] = dbt_resource(dbt_project)
    check_graph(project, definitions)
    started = project_automation(project, start_switched_off=not is_local(project))
    definitions.append(
        dg.Definitions(
            resources=resources,
            executor=executor(project),
            jobs=started.jobs,
            schedules=started.schedules,
            sensors=started.sensors,
        )
    )
    whole = with_options(project, dg.Definitions.merge(*definitions))
    check_started_jobs(project, whole)
    return whole


def is_local(project: Project) -> bool:
    """Whether this is the deployment of one person's machine (DAGSTER_DEPLOYMENT)."""
    return platform_name(project.root, os.environ) == "local"


def executor(project: Project) -> dg.ExecutorDefinition:
    """In the run's own process on this machine: a process for each step costs seconds of imports."""
    return dg.in_process_executor if is_local(project) else dg.multi_or_in_process_executor


def asset_modules(project: Project) -> list[ModuleType]:
    """The modules that `orchestration.asset_modules` names, imported from the project's folder."""
    root = str(project.root)
    if root not in sys.path:
        sys.path.insert(0, root)
    return [_import(name, project) for name in project.spec.orchestration.asset_modules]


def _module_definitions(module: ModuleType) -> dg.Definitions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.load_definitions_from_modules([module])


def _import(name: str, project: Project) -> ModuleType:
    try:
        return importlib.import_module(name)
    except FloeError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise _no_module(name, error, project) from error
        raise FloeError(
            Code.DEFINITIONS_FAILED,
            f"the asset module `{name}` does not import",
            why=f"{type(error).__name__}: {error}",
            fix="mend the place named above",
            where=own_place(error, project.root.resolve()) or own_place(error, project.root),
        ) from error


def _no_module(name: str, error: ModuleNotFoundError, project: Project) -> FloeError:
    return FloeError(
        Code.DEFINITIONS_FAILED,
        f"the asset module `{name}` does not exist",
        why=f"there is no module `{error.name}` in {project.root}",
        fix=f"write {project.root / Path(*name.split('.'))}.py, or correct `orchestration.asset_modules`",
        where=Where(project.root / "floe.yaml", key="orchestration.asset_modules"),
    )


def _root(folder: Path | str | None) -> Path:
    if folder is not None:
        return Path(folder)
    named = os.environ.get("FLOE_PROJECT_DIR")
    return Path(named) if named else find_project(Path.cwd())
