"""A project as its deployment has it: one file of `floe compile`, no floe.yaml, no platform.yaml, no parse."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import yaml
from dagster_dbt import DbtProject

from floe_dev.config.artifacts import read_artifacts
from floe_dev.config.private import write_private
from floe_dev.dbt.profile import check_profile, target_name
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.artifacts import CompiledArtifacts
from floe_dev.model.layout import DBT_FILE, Layout
from floe_dev.model.project import Project


def deployed_project(
    artifacts: CompiledArtifacts | Path, root: Path | None = None
) -> tuple[Project, DbtProject | None]:
    """The project behind compiled artifacts, or behind their file, and its dbt project with the compiled manifest.

    `root` is where asset modules and files that sensors watch are: the file's folder if absent, else the working
    directory. Endpoints are what was compiled unless POLARIS_URI is set; secrets come from this process's environment.

    Raises FloeError: what `read_artifacts` raises, 1303 where the dbt project asks for another profile than was
    compiled, 1102 where there is no dbt project.
    """
    file = artifacts.absolute() if isinstance(artifacts, Path) else None
    read = read_artifacts(artifacts) if isinstance(artifacts, Path) else artifacts
    root = (root or (file.parent if file else Path.cwd())).absolute()
    place = file or root / "artifacts.json"
    if read.dbt is None:
        return Project(root=root, spec=read.spec, platform=read.platform, platform_file=place), None
    folder = _dbt_folder(read, root, place)
    state = _state_dir(root, read.content_hash)
    manifest = state / "target" / "manifest.json"
    _write(manifest, json.dumps(read.dbt.manifest))
    _write(state / "profiles.yml", yaml.safe_dump(read.dbt.profile, sort_keys=False))
    dbt = read.spec.orchestration.dbt.model_copy(update={"manifest_path": str(manifest)})
    transforms = tuple(
        each.model_copy(update={"path": str(folder)}) if each.type == "dbt" else each for each in read.spec.transforms
    )
    orchestration = read.spec.orchestration.model_copy(update={"dbt": dbt})
    spec = read.spec.model_copy(update={"orchestration": orchestration, "transforms": transforms})
    project = Project(root=root, spec=spec, platform=read.platform, platform_file=place)
    check_profile(project, state)
    dbt_project = DbtProject(
        project_dir=folder,
        packaged_project_dir=folder,
        target_path=manifest.parent,
        profiles_dir=state,
        target=target_name(project),
    )
    return project, dbt_project


def _dbt_folder(artifacts: CompiledArtifacts, root: Path, file: Path) -> Path:
    """The packaged dbt project where there is one, else the one at its place below `root`."""
    packaged = artifacts.dbt.packaged_project_dir if artifacts.dbt else None
    declared = next(transform.path for transform in artifacts.spec.transforms if transform.type == "dbt")
    candidates = [file.parent / packaged] if packaged else []
    candidates.append(root / declared)
    for folder in candidates:
        if (folder / DBT_FILE).is_file():
            return folder
    raise FloeError(
        Code.CONFIG_FILE_UNREADABLE,
        "the compiled project's dbt project is not here",
        why="looked at " + ", ".join(map(str, candidates)),
        fix="floe compile --package -o FILE, and deploy the folder beside the file with it",
        where=Where(candidates[0] / DBT_FILE),
    )


def _state_dir(root: Path, content: str) -> Path:
    """Where manifest and profile of these artifacts are written out: by hash, so that two deployments do not mix."""
    here = Layout(root).state_dir / "compiled" / content[:16]
    try:
        here.mkdir(parents=True, exist_ok=True)
        (Layout(root).state_dir / ".gitignore").write_text("*\n", encoding="utf-8")
        if os.access(here, os.W_OK):
            return here
    except OSError:
        pass
    # An image's file system may be read-only; what is written holds no secret.
    elsewhere = Path(tempfile.gettempdir()) / f"floe-{os.getuid()}" / content[:16]
    elsewhere.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The name can be guessed: whoever made the folder first must not give us a profile.
    return elsewhere if elsewhere.parent.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp(prefix="floe-"))


def _write(file: Path, text: str) -> None:
    """Leave a file alone that is as it should be: dbt's partial parsing and other processes read it."""
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, text)
