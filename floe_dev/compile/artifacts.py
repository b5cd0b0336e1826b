"""Compile a project and write what came of it; config/artifacts.py reads it again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from floe_dev.compile.canonical import stable_manifest
from floe_dev.compile.graph import asset_nodes, job_assets
from floe_dev.config.artifacts import content_hash, to_text
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.artifacts import FORMAT_VERSION, CompiledArtifacts, DbtArtifacts
from floe_dev.model.platform import Platform
from floe_dev.model.project import Project
from floe_dev.validate.files import own_files
from floe_dev.validate.secrets import FIX, credentials_in

_PARTS = ("floe_dev", "dagster", "dagster-dbt", "dagster-iceberg", "dbt-core", "duckdb", "pyiceberg")
_INPUTS = (".py", ".sql", ".yml", ".yaml", ".csv", ".md")
#: dbt wants a value for each variable its profile names, and connects to nothing while it parses.
_PARSED_WITHOUT = {f"POLARIS_{name}": "not-set" for name in ("URI", "WAREHOUSE", "CLIENT_ID", "CLIENT_SECRET")}


def compile_project(project: Project, packaged_project_dir: str | None = None) -> CompiledArtifacts:
    """Everything a deployment needs; no stack need run.

    `packaged_project_dir` is where `package_dbt` puts the dbt project, relative to the artifacts' file.

    Raises FloeError: 1404 for a credential in floe.yaml or platform.yaml, 4001 where dbt does not parse, and whatever
    the project's definitions raise.
    """
    import dagster as dg

    from floe_dev.orchestrators.dagster import build_definitions

    project = project.model_copy(update={"platform": _written_platform(project)})
    _refuse_credentials(project)
    dbt = _dbt(project, packaged_project_dir)
    with warnings.catch_warnings():
        # Dagster's word on parts that floe chose, between the lines of a command.
        warnings.simplefilter("ignore", dg.BetaWarning)
        definitions = build_definitions(project)
        nodes = asset_nodes(definitions, _dbt_nodes(dbt.manifest) if dbt else {})
        jobs = job_assets(definitions, project)
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "spec": project.spec.model_dump(mode="json", by_alias=True),
        "platform": project.platform.model_dump(mode="json", by_alias=True),
        "lineage_namespace": project.catalog().uri,
        "dbt": dbt.model_dump(mode="json") if dbt else None,
        "assets": [node.model_dump(mode="json") for node in nodes],
        "jobs": jobs,
        "versions": {part: version(part) for part in _PARTS},
        "inputs": _inputs(project.root),
    }
    return CompiledArtifacts.model_validate({**content, "content_hash": content_hash(content)})


def write_artifacts(artifacts: CompiledArtifacts, file: Path) -> None:
    """Write the file; its folder is made. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text_of(artifacts), encoding="utf-8")


def text_of(artifacts: CompiledArtifacts) -> str:
    """The file's text: the same for the same artifacts."""
    return to_text(artifacts.model_dump(mode="json", by_alias=True))


def _written_platform(project: Project) -> Platform:
    """platform.yaml as it is written: a port that this machine replaced is no property of the project."""
    from floe_dev.config.validation import validate
    from floe_dev.config.yaml_source import read_yaml

    return validate(Platform, read_yaml(project.platform_file)) if project.platform_file.is_file() else project.platform


def _refuse_credentials(project: Project) -> None:
    for name, part in (("floe.yaml", project.spec), (project.platform_file.name, project.platform)):
        for path in credentials_in(part.model_dump(mode="json", by_alias=True)):
            raise FloeError(
                Code.ARTIFACTS_SECRET,
                f"{name} holds a credential: it is not compiled",
                fix=FIX,
                where=Where(project.root / name, key=".".join(map(str, path))),
            )


def package_dbt(project: Project, folder: Path) -> int:
    """Copy the dbt project to `folder`, replacing what was there, as it is deployed: no target, no logs.

    Returns the number of files. Raises OSError.
    """
    source = project.dbt_dir()
    if source is None:
        return 0
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("target", "logs", ".floe", ".git", "__pycache__"))
    return sum(path.is_file() for path in folder.rglob("*"))


def _dbt(project: Project, packaged_project_dir: str | None) -> DbtArtifacts | None:
    from floe_dev.dbt.profile import profile, profile_name, write_profile
    from floe_dev.orchestrators.dagster.manifest import ensure_manifest, manifest_path

    folder = project.dbt_dir()
    if folder is None:
        return None
    write_profile(project)
    ensure_manifest(project, {**_PARSED_WITHOUT, **os.environ})
    manifest = json.loads(manifest_path(project).read_bytes())
    return DbtArtifacts(
        manifest=stable_manifest(manifest),
        profile=profile(project, profile_name(folder)),
        packaged_project_dir=packaged_project_dir,
    )


def _dbt_nodes(manifest: dict[str, Any]) -> dict[str, str]:
    from floe_dev.validate.manifest import KINDS, asset_key

    return {asset_key(node): key for key, node in manifest["nodes"].items() if node["resource_type"] in KINDS}


def _inputs(root: Path) -> dict[str, str]:
    files = own_files(root, *_INPUTS)
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
