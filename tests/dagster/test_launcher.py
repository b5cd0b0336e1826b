"""Without a fork server the launcher does as Dagster's default one, and the run still names its trace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.dagster_run import FINISHED_STATUSES, DagsterRunStatus

from floe_dev.drivers.forkrequest import SOCKET_VARIABLE
from floe_dev.orchestrators.dagster.launcher import PID_TAG
from floe_dev.orchestrators.dagster.run_spans import TRACE_TAG
from floe_dev.tracing.context import run_trace_id

_JOB = """
import dagster as dg

@dg.op
def work(): ...

@dg.job(executor_def=dg.in_process_executor)
def small():
    work()
"""
_INSTANCE = """
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
run_launcher: {module: floe_dev.orchestrators.dagster.launcher, class: ForkRunLauncher}
"""


def test_a_run_that_dagsters_own_launcher_starts_names_its_trace(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(_JOB)
    (tmp_path / "dagster.yaml").write_text(_INSTANCE)
    clean = {name: value for name, value in os.environ.items() if name not in (SOCKET_VARIABLE, "FLOE_PROJECT_DIR")}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dagster"), "job", "launch", "-f", "small.py", "-j", "small"],
        cwd=tmp_path,
        env={**clean, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        (run,) = instance.get_runs()
        assert run.tags[TRACE_TAG] == run_trace_id(run.run_id)
        assert PID_TAG not in run.tags  # it was not forked
        give_up = time.monotonic() + 60
        while (status := instance.get_run_by_id(run.run_id).status) not in FINISHED_STATUSES:  # type: ignore[union-attr]
            assert time.monotonic() < give_up
            time.sleep(0.2)
    assert status is DagsterRunStatus.SUCCESS
