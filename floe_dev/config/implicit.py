"""What floe.yaml and platform.yaml would say for a dbt project that has neither."""

from __future__ import annotations

from pathlib import Path

import yaml

from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import DBT_FILE
from floe_dev.model.platform import Platform
from floe_dev.model.project import FloeSpec

_CATALOG_URI = "http://127.0.0.1:8181/api/catalog"


def implicit_spec(root: Path) -> FloeSpec:
    """The contract of the dbt project at `root`: its name, and itself as the only transform.

    Raises FloeError 1101 or 1102 for a dbt_project.yml that cannot be read, 1202 for one without a name.
    """
    source = read_yaml(root / DBT_FILE)
    name = source.data.get("name") if isinstance(source.data, dict) else None
    if not isinstance(name, str) or not name:
        raise FloeError(
            Code.INVALID_VALUE,
            f"{DBT_FILE} has no name",
            why="dbt and floe both name the project by it",
            fix="add `name: my_project`",
            where=source.where(()),
        )
    return FloeSpec.model_validate(_floe(name))


def implicit_platform(spec: FloeSpec) -> Platform:
    """One catalog, named like the project, where the stack's own one listens."""
    return Platform.model_validate(_platform(spec.name))


def floe_text(spec: FloeSpec) -> str:
    """floe.yaml for the project, as `floe init --from` writes it."""
    head = "# What data engineers write: logical names only. platform.yaml says where they are.\n"
    return head + yaml.safe_dump(_floe(spec.name), sort_keys=False)


def platform_text(spec: FloeSpec) -> str:
    """platform.yaml for the project, as `floe init --from` writes it."""
    head = (
        "# What platform engineers write, one file per environment: endpoints and names of secrets, never a secret.\n"
    )
    return head + yaml.safe_dump(_platform(spec.name), sort_keys=False)


def _floe(name: str) -> dict[str, object]:
    return {"name": name, "version": "1.0.0", "catalog": "default", "transforms": [{"type": "dbt", "path": "."}]}


def _platform(name: str) -> dict[str, object]:
    credentials = {
        "mode": "oauth2",
        "client_id": {"secret_ref": "polaris-client-id"},
        "client_secret": {"secret_ref": "polaris-client-secret"},
        "scope": "PRINCIPAL_ROLE:ALL",
    }
    catalog = {"type": "polaris", "uri": _CATALOG_URI, "warehouse": name, "credentials": credentials}
    return {
        "version": "1.0.0",
        "storage": {"default": {"type": "file"}},
        # dbt's target schema. Not `main`, dbt-duckdb's: DuckDB cannot look into an Iceberg namespace of that name.
        "layers": {name: {"storage_ref": "default", "catalog_ref": "default", "namespace": name}},
        "catalogs": {"default": catalog},
        "compute": {"default": {"type": "duckdb"}},
    }
