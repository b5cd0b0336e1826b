"""Airflow 3 holds to the contract: its own DAGs, database and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from floe_dev.config.plugins import load
from floe_dev.orchestrators.base import Orchestrator
from floe_dev.testing.contracts import OrchestratorContract
from tests.extras.declared import amiss


def test_the_extra_is_installed_as_declared() -> None:
    assert amiss("airflow") == []


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
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
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
