"""Each orchestrator. Airflow and Prefect are extras: `pip install 'floe_dev[airflow]'` to have theirs run here."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from floe_dev.config.plugins import load
from floe_dev.orchestrators.base import Orchestrator
from floe_dev.testing.contracts import OrchestratorContract


class TestDagster(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self) -> Orchestrator:
        found: Orchestrator = load("orchestrators", "dagster")
        return found


#: Airflow reads only files that have the words "airflow" and "dag" in them.
DAG_FILE = """\
# The project's DAGs.
from pathlib import Path
from floe_dev.orchestrators.airflow import AIRFLOW

globals().update(AIRFLOW.build(Path({file!r})))
"""


class TestAirflow(OrchestratorContract):
    @pytest.fixture(scope="class")
    def home(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Airflow's folder with its database; Airflow reads where it is once for a process."""
        home = tmp_path_factory.mktemp("airflow")
        (home / "dags").mkdir()
        os.environ |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
        if find_spec("airflow") is not None:
            migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(migrate, check=True, capture_output=True)
        return home

    @pytest.fixture
    def orchestrator(self, home: Path, root: Path) -> Orchestrator:
        # What a user writes, too: the file in the DAGs folder.
        (home / "dags" / "contract.py").write_text(DAG_FILE.format(file=str(root / "artifacts.json")))
        found: Orchestrator = load("orchestrators", "airflow")
        return found

    def test_each_schedule_is_a_dag_over_its_jobs_assets(self, built: dict[str, Any]) -> None:
        assert list(built) == ["contract_pipeline", "contract_pipeline.nightly"]
        assert sorted(built["contract_pipeline.nightly"].task_dict) == ["s.b", "s.d"]
        assert built["contract_pipeline.nightly"].schedule == "0 3 * * *"


class TestPrefect(OrchestratorContract):
    @pytest.fixture
    def orchestrator(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orchestrator:
        monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
        monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        found: Orchestrator = load("orchestrators", "prefect")
        return found


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
