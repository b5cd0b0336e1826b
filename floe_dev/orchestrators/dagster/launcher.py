"""The run launcher: a run's process is forked from the one that has imported Dagster already.

Dagster's default launcher lets the code server spawn a fresh interpreter for every run, which imports Dagster, dbt and
PyIceberg again: seconds before the first step.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.launcher.base import LaunchRunContext
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import DagsterRun, DagsterRunStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value
from dagster._serdes.config_class import ConfigurableClassData

from floe_dev.config.writes import require_writes_allowed
from floe_dev.drivers.forkrequest import Forked, fork_module
from floe_dev.orchestrators.dagster.run_spans import TRACE_TAG, record_killed_run
from floe_dev.tracing.context import run_trace_id

#: On the run: the process that executes it.
PID_TAG = "floe/pid"
#: Seconds that a cancelled run has to end by itself.
CANCEL_SECONDS = 10.0


class ForkRunLauncher(DefaultRunLauncher):
    """Forks `dagster api execute_run` from the stack's fork server; without one it does as Dagster's default."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> ForkRunLauncher:  # noqa: ARG003
        """No settings: the stack's environment says where the fork server is."""
        return cls(inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process; raises what DefaultRunLauncher raises where there is no fork server."""
        root = os.environ.get("FLOE_PROJECT_DIR")
        if root is not None:
            require_writes_allowed(Path(root), os.environ)
        run = context.dagster_run
        self._instance.add_run_tags(run.run_id, {TRACE_TAG: run_trace_id(run.run_id)})
        origin = context.job_code_origin
        if origin is None:
            super().launch_run(context)
            return
        arguments = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref())
        folder = Path(os.environ.get("FLOE_PROJECT_DIR") or Path.cwd())
        try:
            worker = fork_module(
                "dagster",
                ["api", "execute_run", serialize_value(arguments)],
                environment=dict(os.environ),
                directory=folder,
                log=folder / ".floe" / "logs" / "runs.log",
                after="dagster_dbt",
            )
        except OSError:
            super().launch_run(context)
            return
        self._instance.add_run_tags(run.run_id, {PID_TAG: str(worker.pid)})
        threading.Thread(target=self._watch, args=(worker, run.run_id), daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's process, which records the cancellation itself."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        pid = run.tags.get(PID_TAG)
        if pid is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        try:
            os.kill(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            self._report_canceled(run, "its process was gone")
            return True
        # A step that is deep in somebody's C code hears no signal but this one.
        timer = threading.Timer(CANCEL_SECONDS, self._kill, (run_id, int(pid)))
        timer.daemon = True
        timer.start()
        return True

    def _watch(self, worker: Forked, run_id: str) -> None:
        """A process that ends without having finished its run was killed: say so, or the run would seem to go on."""
        status = worker.wait()
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished:
            return
        if run.status is DagsterRunStatus.CANCELING:
            # It was asked to end before it listened for that, or had to be killed.
            self._report_canceled(run, f"its process {worker.pid} ended with status {status}")
        else:
            why = f"the run's process {worker.pid} ended with status {status}"
            self._instance.report_run_failed(run, why)
            record_killed_run(run_id, why)

    def _report_canceled(self, run: DagsterRun, how: str) -> None:
        """For a process that could not say so itself."""
        self._instance.report_run_canceled(run)
        record_killed_run(run.run_id, f"the run was canceled: {how}", canceled=True)

    def _kill(self, run_id: str, pid: int) -> None:
        """Only while the run has not ended: its process id may be another's by then."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is not None and not run.is_finished:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
