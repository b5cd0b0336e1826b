"""Dagster; Airflow and Prefect are extras, and hold to the contract in tests/extras (`make test-extras`)."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from floe_dev.config.plugins import load
from floe_dev.errors import Code, FloeError
from floe_dev.orchestrators.base import Orchestrator
from floe_dev.testing.contracts import OrchestratorContract


class TestDagster(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self) -> Orchestrator:
        found: Orchestrator = load("orchestrators", "dagster")
        return found


@pytest.mark.parametrize("name", ["airflow", "prefect"])
def test_one_that_is_not_installed_says_what_installs_it(name: str, tmp_path: Path) -> None:
    orchestrator: Orchestrator = load("orchestrators", name)
    if find_spec(orchestrator.modules[0].partition(".")[0]) is not None:
        pytest.skip(f"{name} is installed here; tests/extras has its tests")
    with pytest.raises(FloeError) as told:
        orchestrator.build(tmp_path / "artifacts.json")
    assert told.value.code is Code.NO_SUCH_PLUGIN
    assert told.value.fix == f"pip install 'floe_dev[{name}]'"


def test_one_asset_is_made_in_a_process_of_its_own(tmp_path: Path) -> None:
    from floe_dev.testing.contracts import orchestrator as contract

    for name, text in (
        ("floe.yaml", contract._FLOE),
        ("platform.yaml", contract._PLATFORM),
        ("contract_assets.py", contract._ASSETS),
    ):
        (tmp_path / name).write_text(text)
    compiled = [sys.executable, "-m", "floe_dev.cli", "compile", "-o", "artifacts.json"]
    subprocess.run(compiled, cwd=tmp_path, check=True, capture_output=True)
    task = [sys.executable, "-m", "floe_dev.orchestrators.task", "artifacts.json", "s/b"]
    done = subprocess.run(task, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made").read_text().split() == ["s/b"]
    (tmp_path / "FAIL").touch()
    failed = subprocess.run([*task[:-1], "s/d"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert failed.returncode != 0
    assert "it was to fail" in failed.stderr
