"""How Dagster's SQLite files are opened in floe's processes; test_stack.py looks at a running stack's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import json, os, sys
from pathlib import Path
import floe_dev.orchestrators.dagster.sqlite
from dagster import DagsterInstance, GraphDefinition, JobDefinition

home = Path(sys.argv[1])
(home / "dagster.yaml").write_text("telemetry: {enabled: false}")
instance = DagsterInstance.from_config(str(home))
run = instance.create_run_for_job(JobDefinition(graph_def=GraphDefinition(name="empty")))
instance.report_engine_event("first", run)
storage = instance.event_log_storage
file = home / "history" / "runs" / (run.run_id + ".db")
before = file.stat().st_mtime_ns
instance.report_engine_event("news", run)
with storage.index_connection() as c: shared = c.exec_driver_sql("PRAGMA synchronous").scalar()
with storage.run_connection(run.run_id) as c: single = c.exec_driver_sql("PRAGMA synchronous").scalar()
print(json.dumps({
    "shared": shared, "single": single, "news": file.stat().st_mtime_ns > before,
    "logs": sorted(path.name for path in home.rglob("*-wal")),
}), flush=True)
os.kill(os.getpid(), 9)
"""
_LATER = """
import sys
from dagster import DagsterInstance

instance = DagsterInstance.from_config(sys.argv[1])
print([event.message for run in instance.get_runs() for event in instance.all_logs(run.run_id)])
"""


def _python(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=False)


def test_no_event_waits_for_the_disk_and_a_killed_process_loses_none(tmp_path: Path) -> None:
    done = _python(_SCRIPT, tmp_path)
    assert done.returncode == -9, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["shared"], seen["single"]) == (1, 0), "NORMAL and OFF"
    assert "index.db-wal" in seen["logs"], "the shared file's log stays open"
    assert seen["news"], "Dagster's web server watches the run's file itself"
    assert not [name for name in seen["logs"] if len(name) > 30], "a run's log is folded into its file"

    assert "news" in _python(_LATER, tmp_path).stdout
