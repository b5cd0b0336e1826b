"""The generated dbt profile: it reads like dbt-duckdb's with `attach:`, and holds no credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

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
    """The profile as data."""
    catalog = project.catalog()
    compute = project.compute().properties
    output = {
        "type": "floe",
        "path": ":memory:",
        "database": catalog.alias,
        "schema": (project.namespaces() or ("main",))[0],
        "threads": int(compute.get("threads", 4)),
        "attach": [
            {
                "path": "{{ env_var('POLARIS_WAREHOUSE') }}",
                "alias": catalog.alias,
                "type": "iceberg",
                "options": {
                    "ENDPOINT": "{{ env_var('POLARIS_URI') }}",
                    "CLIENT_ID": "{{ env_var('POLARIS_CLIENT_ID') }}",
                    "CLIENT_SECRET": "{{ env_var('POLARIS_CLIENT_SECRET') }}",
                    "OAUTH2_SERVER_URI": "{{ env_var('POLARIS_URI') }}/v1/oauth/tokens",
                    "OAUTH2_SCOPE": "{{ env_var('POLARIS_SCOPE', 'PRINCIPAL_ROLE:ALL') }}",
                    "ACCESS_DELEGATION_MODE": "none"
                    if catalog.access_delegation == "none"
                    else catalog.access_delegation.replace("-", "_"),
                },
            }
        ],
    }
    settings = {key: value for key, value in compute.items() if key not in ("threads", "path")}
    if settings:
        output["settings"] = settings
    return {name: {"target": TARGET, "outputs": {TARGET: output}}}
