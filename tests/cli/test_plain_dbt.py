"""dbt projects that know nothing of floe: `floe up --project DIR` runs them as they are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from floe_dev.config.project import load_project
from tests.drivers.helpers import free_port

PROJECTS = Path(__file__).parents[1] / "fixtures" / "dbt_projects"


@dataclass
class Plain:
    """One of the fixture projects, copied; floe's commands are run from elsewhere."""

    root: Path

    def floe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "POLARIS_"))}
        return subprocess.run(
            [sys.executable, "-m", "floe_dev.cli", *arguments, "--project", str(self.root)],
            cwd=self.root.parent,
            env={**environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.floe("up", "--json", "--port", str(free_port()))

    def rows(self) -> dict[str, int]:
        listed = self.floe("tables", "--json")
        assert listed.returncode == 0, listed.stderr
        return {
            table["name"]: table["rows"] for table in json.loads(listed.stdout)["tables"] if table["kind"] == "table"
        }

    def files(self) -> dict[str, str]:
        """What the user's own files hold, all but `.floe/`."""
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".floe" not in path.parts
        }


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Plain]:
    made = Plain(shutil.copytree(PROJECTS / request.param, tmp_path / request.param))
    yield made
    made.floe("down")


@pytest.mark.stack
@pytest.mark.parametrize("project", ["plain"], indirect=True)
def test_a_plain_project_becomes_iceberg_tables_and_none_of_its_files_changes(project: Plain) -> None:
    before = project.files()
    up = project.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert project.rows() == {"plain.customers": 3, "plain.raw_customers": 3, "plain.raw_orders": 3}
    assert project.files() == before
    assert (project.root / ".floe" / ".gitignore").read_text() == "*\n"

    found = project.floe("sql", "--format", "csv", "select first_name, revenue from plain.customers order by 1")
    assert found.stdout.split()[1:] == ["Ada,12.5", "Alan,0.0", "Grace,7.0"]


@pytest.mark.stack
@pytest.mark.parametrize("project", ["rich"], indirect=True)
def test_snapshots_vendored_packages_and_incremental_models_run(project: Plain) -> None:
    before = project.files()
    up = project.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert project.rows() == {
        "history.kinds_history": 2,
        "rich.events": 3,
        "rich.log": 3,
        "rich_marts.kinds": 2,
    }
    assert project.files() == before
    with (project.root / "seeds" / "events.csv").open("a") as seed:
        seed.write("4,buy,1.0,2026-01-03\n")
    again = project.floe("run", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    # One kind has more events now: dbt's snapshot keeps the row as it was.
    assert project.rows()["rich.log"] == 4
    assert project.rows()["history.kinds_history"] == 3


@pytest.mark.stack
@pytest.mark.parametrize("project", ["foreign"], indirect=True)
def test_what_is_not_duckdbs_sql_is_named_and_the_rest_is_built(project: Plain) -> None:
    up = project.up()
    assert up.returncode == 7, up.stdout + up.stderr
    result = json.loads(up.stdout)["run"]
    assert [failure["asset"] for failure in result["failed"]] == ["foreign/warehouse_only"]
    assert "to_variant" in result["failed"][0]["why"]
    assert result["skipped"] == ["foreign/after_it"]
    assert project.rows() == {"foreign.fine": 2, "foreign.numbers": 2}


def test_init_from_writes_the_two_files_and_no_others(tmp_path: Path) -> None:
    root = shutil.copytree(PROJECTS / "plain", tmp_path / "plain")
    plain = load_project(root, {})
    before = Plain(root).files()
    made = subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "init", "--from", str(root)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert Plain(root).files().keys() - before.keys() == {"floe.yaml", "platform.yaml"}
    adopted = load_project(root, {})
    assert (adopted.spec, adopted.platform) == (plain.spec, plain.platform)
    again = subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "init", "--from", str(root)], capture_output=True, text=True, check=False
    )
    assert "FLOE1003" in again.stderr


def test_several_projects_below_a_folder_are_listed(tmp_path: Path) -> None:
    for name in ("plain", "foreign"):
        shutil.copytree(PROJECTS / name, tmp_path / name)
    refused = Plain(tmp_path).floe("up")
    assert "FLOE1301" in refused.stderr
    assert "plain" in refused.stderr
    assert "foreign" in refused.stderr


@pytest.mark.stack
@pytest.mark.parametrize("project", ["rich"], indirect=True)
def test_packages_that_cannot_be_had_are_named(project: Plain) -> None:
    shutil.rmtree(project.root / "dbt_packages")
    up = project.floe("up", "--progress", "plain", "--port", str(free_port()))
    assert up.returncode != 0
    assert "FLOE4010" in up.stderr
    assert "packages.yml" in up.stderr
