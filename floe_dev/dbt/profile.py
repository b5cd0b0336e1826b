"""The generated dbt profile: it reads like dbt-duckdb's with `attach:`, and holds no credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from floe_dev.compute.base import Compute
from floe_dev.config.plugins import load, require_modules
from floe_dev.config.private import write_private
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.project import Project

TARGET = "floe"
_HEADER = "# Written by floe at every `floe up`. The credential comes from the environment: `floe env` shows it.\n"


def write_profile(project: Project) -> Path | None:
    """Write `.floe/dbt/profiles.yml` for the profile that dbt_project.yml names; None without dbt. Raises OSError."""
    folder = project.dbt_dir()
    if folder is None:
        return None
    file = project.layout.dbt_dir / "profiles.yml"
    text = _HEADER + yaml.safe_dump(profile(project, profile_name(folder)), sort_keys=False)
    # Left alone when nothing changed: dbt's partial parsing depends on it.
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_private(file, text)
    return file


def target_name(project: Project) -> str:
    """The target that dbt runs with: what floe.yaml's dbt transform names, else `floe`."""
    return next((each.target for each in project.spec.transforms if each.type == "dbt" and each.target), TARGET)


def check_profile(project: Project, folder: Path) -> None:
    """Refuse a profiles.yml in `folder` without the project's profile or target; nothing where there is no such file.

    Raises FloeError 1303 at the line that asks for it.
    """
    dbt_dir, file = project.dbt_dir(), folder / "profiles.yml"
    if dbt_dir is None or not file.is_file():
        return
    source, known = read_yaml(dbt_dir / "dbt_project.yml"), read_yaml(file).data
    name, target = profile_name(dbt_dir), target_name(project)
    if name not in known:
        raise FloeError(
            Code.DBT_PROFILE,
            f"dbt_project.yml asks for the profile `{name}`, which {file} does not have",
            why=f"its profiles are: {', '.join(key for key in known if key != 'config') or 'none'}",
            fix="let both have one name; `floe up` writes the profile that dbt_project.yml names",
            where=source.where(("profile",) if "profile" in source.data else ("name",)),
        )
    outputs = (known[name] or {}).get("outputs") or {}
    if target not in outputs:
        floe = project.root / "floe.yaml"
        index = next(index for index, each in enumerate(project.spec.transforms) if each.type == "dbt")
        raise FloeError(
            Code.DBT_PROFILE,
            f"the profile `{name}` has no target `{target}`",
            why=f"{file} has: {', '.join(outputs) or 'none'}",
            fix=f"write `target: {next(iter(outputs), TARGET)}`, or `floe up`, which writes the profile anew",
            where=read_yaml(floe).where(("transforms", index, "target")) if floe.is_file() else source.where(()),
        )


def profile_name(dbt_dir: Path) -> str:
    """The profile that dbt_project.yml asks for; raises FloeError 1102 or 1202."""
    source = read_yaml(dbt_dir / "dbt_project.yml")
    name = source.data.get("profile") or source.data.get("name")
    if not isinstance(name, str):
        raise FloeError(
            Code.INVALID_VALUE,
            "dbt_project.yml names no profile",
            why="dbt finds its connection by `profile`",
            fix="add `profile: floe`",
            where=Where(source.file),
        )
    return name


def profile(project: Project, name: str) -> dict[str, Any]:
    """The profile as data, by the project's compute; raises FloeError 1501 where that is not installed."""
    target = target_name(project)
    return {name: {"target": target, "outputs": {target: compute_of(project).dbt_output(project)}}}


def compute_of(project: Project) -> Compute:
    """The engine that floe.yaml's `compute` names; raises FloeError 1501 where it is not installed."""
    kind, where = project.compute().type, _compute_place(project)
    compute: Compute = load("computes", kind, where)
    require_modules("computes", kind, compute.modules, compute.extra, where)
    return compute


def _compute_place(project: Project) -> Where:
    path = ("compute", project.spec.compute, "type")
    try:
        return read_yaml(project.platform_file).where(path)
    except FloeError:
        return Where(project.platform_file, key=".".join(path))
