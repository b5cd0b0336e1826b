"""The project's dbt folder as dagster-dbt knows it: artifacts inside `.floe/`, parsed only when something changed."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path

from dagster_dbt import DbtCliResource, DbtProject
from dagster_dbt.dbt_project import DagsterDbtProjectPreparer
from dagster_shared.record import replace
from packaging.version import Version

from floe_dev.config.project import platform_name
from floe_dev.dbt.profile import check_profile
from floe_dev.model.project import Project
from floe_dev.orchestrators.dagster.manifest import dbt_executable, ensure_manifest, manifest_path


class ManifestPreparer(DagsterDbtProjectPreparer):
    """`prepare_if_dev` without a second parse: the manifest is rebuilt only if the dbt project's files changed."""

    def __init__(self, project: Project) -> None:
        """Prepares `project`'s manifest."""
        super().__init__()
        self._project = project

    def using_dagster_dev(self) -> bool:
        """True wherever the dbt project's own files are; an installed package with a manifest only needs no parse."""
        return platform_name(self._project.root, os.environ) == "local"

    def prepare(self, project: DbtProject) -> None:  # noqa: ARG002
        """Raises FloeError 4001 with dbt's own message."""
        ensure_manifest(self._project)


class FloeDbtCliResource(DbtCliResource):
    """`DbtCliResource` without what costs seconds before each dbt command.

    dagster-dbt runs `dbt --version` and makes a dbt adapter in Dagster's own process before it starts dbt. The first is
    known here from the installed package; the second serves `fetch_row_counts` and `fetch_column_metadata`, which open
    a second connection to the tables: row counts come from the snapshot summaries instead.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(importlib.metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override] # noqa: ARG002
        return None


def dagster_dbt_project(project: Project) -> DbtProject | None:
    """The DbtProject of floe.yaml's dbt transform, its manifest fresh; None where there is none."""
    folder = project.dbt_dir()
    if folder is None:
        return None
    profiles_dir = _profiles_dir(project, folder)
    check_profile(project, profiles_dir)
    dbt_project = DbtProject(
        project_dir=folder,
        target_path=manifest_path(project).parent,
        profiles_dir=profiles_dir,
        target=next((t.target for t in project.spec.transforms if t.type == "dbt"), None),
    )
    dbt_project = replace(dbt_project, preparer=ManifestPreparer(project))
    dbt_project.preparer.prepare_if_dev(dbt_project)
    return dbt_project


def dbt_resource(dbt_project: DbtProject) -> FloeDbtCliResource:
    """The dbt of the running environment on `dbt_project`."""
    return FloeDbtCliResource(project_dir=dbt_project, dbt_executable=dbt_executable())  # type: ignore[arg-type] # read by a validator


def _profiles_dir(project: Project, folder: Path) -> Path:
    """The generated profile where there is one; else the project's own."""
    generated = project.layout.dbt_dir
    return generated if (generated / "profiles.yml").is_file() else folder
