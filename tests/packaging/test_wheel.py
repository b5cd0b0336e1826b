"""The wheel in a clean environment: `floe init` and `floe up` in an empty folder whose name has a space."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import Environment

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]


def test_the_wheel_carries_one_copy_of_stacks_sample_and_adapter(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "floe_dev/_bundled/stacks/embedded.yaml" in names
    assert "floe_dev/_bundled/sample_project/floe.yaml" in names
    assert "floe_dev/_bundled/sample_project/dbt/dbt_project.yml" in names
    assert "dbt/adapters/floe/__init__.py" in names
    assert any(name.startswith("dbt/include/floe/macros/") for name in names)
    # dbt's own namespace packages have no files of ours.
    assert not {"dbt/__init__.py", "dbt/adapters/__init__.py", "dbt/include/__init__.py"} & set(names)
    assert not [name for name in names if name.startswith(("stacks/", "sample_project/", "floe_dev/dbt/namespace"))]
    assert not [name for name in names if ".floe/" in name or "__pycache__" in name]


def test_the_source_distribution_can_be_built_from(dist: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "constraints.txt", "stacks/embedded.yaml"} <= names
    assert not [name for name in names if "/.floe/" in name]


def test_init_and_up_in_an_empty_folder(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "my shop"
    folder.mkdir()
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "DAGSTER_", "DBT_", "POLARIS_"))
    }
    variables = {**kept, "PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(tmp_path / "state")}

    def floe(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(environment.bin / "floe"), *arguments],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=400,
        )

    assert floe("init").returncode == 0
    up = floe("up")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        counted = floe("sql", "select count(*) as n from silver.orders", "--format", "json")
        assert counted.returncode == 0, counted.stderr
        assert json.loads(counted.stdout)[0]["n"] > 0
        tables = floe("tables", "--json")
        assert "gold.metrics" in tables.stdout
    finally:
        down = floe("down")
    assert down.returncode == 0, down.stderr
    assert floe("status").returncode == 4
