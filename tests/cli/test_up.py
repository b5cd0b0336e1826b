"""Starting, failing, interrupting and stopping stacks of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from floe_dev import Session
from floe_dev.errors import ExitCode
from tests.cli.helpers import FLOE, environment, floe
from tests.cli.tiny import make_tiny
from tests.drivers.helpers import eventually

pytestmark = pytest.mark.stack


class Project:
    """A tiny project of one test's own, apart from all others."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        self.root = root
        self.env = env

    def floe(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return floe(*arguments, cwd=self.root, env=self.env, **{"timeout": 240, **options})

    def processes(self) -> list[int]:
        """Every process that carries this project's folder in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FLOE_PROJECT_DIR") == str(self.root):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def capsule(self, kind: str, printed: str) -> Path:
        """The one capsule that the last command left, moved to where nothing of the project is."""
        (found,) = (self.root / ".floe" / "capsules").glob(f"*-{kind}.zip")
        assert found.name in printed, "the command says where it is"
        alone = self.root.parent / "elsewhere" / f"{kind}.zip"
        alone.parent.mkdir(exist_ok=True)
        return found.rename(alone)

    def lineage_events(self) -> set[tuple[str, str]]:
        """Type and job of each OpenLineage event that the stack has."""
        events = Session(self.root).telemetry().lineage_events(limit=1000)
        return {(event.event_type, event.job) for event in events}

    def told(self, capsule: Path, *arguments: str) -> str:
        """What a command says of a capsule, far from the project; nothing it prints names the folder it unpacked."""
        done = floe(*arguments, cwd=capsule.parent, env={"XDG_STATE_HOME": str(capsule.parent / "state")})
        assert done.returncode in (ExitCode.OK, ExitCode.NOT_RUNNING), done.stderr
        assert "floe-capsule-" not in done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(make_tiny(tmp_path / "tiny one"), {"XDG_STATE_HOME": str(tmp_path / "state")})
    yield made
    down = made.floe("down")
    assert down.returncode == 0, down.stderr
    assert made.processes() == []


def test_what_the_definitions_refuse_is_the_error_of_up_with_its_place(project: Project) -> None:
    (project.root / "definitions.py").unlink()
    floe_yaml = project.root / "floe.yaml"
    night = 'orchestration:\n  jobs: {all: {select: "*"}}\n  schedules: {night: {job: all, cron: "61 6 * * *"}}\n'
    floe_yaml.write_text(floe_yaml.read_text() + night)
    refused = project.floe("up", "--json")
    assert refused.returncode == ExitCode.CONFIG, refused.stderr
    error = json.loads(refused.stdout)["error"]
    assert (error["code"], error["where"]["line"]) == ("FLOE1202", len(floe_yaml.read_text().splitlines()))
    assert "61 6" in error["what"]


def test_the_life_of_a_project(project: Project) -> None:
    (project.root / "FAIL").write_text("")
    first = project.floe("up", "--json")
    assert first.returncode == ExitCode.RUN_FAILED, first.stderr
    content = json.loads(first.stdout)
    assert [item["asset"] for item in content["run"]["failed"]] == ["silver/clean"]
    assert "3 rows have a negative amount" in content["run"]["failed"][0]["why"]
    assert content["run"]["skipped"] == ["silver/last"]
    assert content["error"]["code"] == "FLOE5004"
    assert "silver/clean" in first.stderr
    assert "log:" in first.stderr
    assert {item["name"]: item["rows"] for item in content["tables"]} == {"bronze.raw": 10, "bronze.other": 5}

    # What failed can be looked at anywhere: by the capsule alone.
    capsule = project.capsule("up", first.stderr)
    assert "3 rows have a negative amount" in project.told(capsule, "open", str(capsule))
    traces = json.loads(project.told(capsule, "traces", "--capsule", str(capsule), "--json"))["traces"]
    (run,) = (trace for trace in traces if trace["run_id"])
    assert run["state"] == "error"
    shown = project.told(capsule, "traces", "--capsule", str(capsule), run["trace_id"])
    assert "3 rows have a negative amount" in shown
    assert "bronze.raw" in project.told(capsule, "tables", "--capsule", str(capsule))
    assert content["run"]["runId"][:8] in project.told(capsule, "runs", "--capsule", str(capsule))
    alone = project.floe("run", "silver/clean")
    assert alone.returncode == ExitCode.RUN_FAILED
    assert "3 rows have a negative amount" in project.told(capsule, "open", str(project.capsule("run", alone.stderr)))

    # A second up does not run it all again.
    again = json.loads(project.floe("up", "--json").stdout)
    assert again["alreadyRunning"] is True

    # What failed did not stop the stack, and its mending is one command.
    (project.root / "FAIL").unlink()
    mended = project.floe("run", "--stale", "--json")
    assert mended.returncode == 0, mended.stderr
    assert json.loads(mended.stdout)["materialized"] == ["silver/clean", "silver/last"]
    # Its own definitions.py, with nothing of floe's in it, is told of as well.
    made = {("COMPLETE", "silver/clean"), ("FAIL", "silver/clean"), ("COMPLETE", "bronze/raw")}
    eventually(lambda: made <= project.lineage_events(), "the assets' OpenLineage events")

    # Stopped and started: same addresses, same tables. What is new meanwhile is told and not made.
    before = json.loads(project.floe("status", "--json").stdout)
    assert project.floe("down").returncode == 0
    assert project.processes() == []
    assert project.floe("status").returncode == ExitCode.NOT_RUNNING
    definitions = project.root / "definitions.py"
    new = '@dg.asset(key=["silver", "new"])\ndef new():\n    return write("silver.new", 1)\n\n\ndefs = '
    text = definitions.read_text().replace("defs = ", new)
    definitions.write_text(text.replace("clean, last]", "clean, last, new]"))
    warm = project.floe("up")
    assert warm.returncode == 0, warm.stderr
    assert "never materialized: 1" in warm.stdout
    assert "silver/new" in warm.stdout
    assert "run --stale" in warm.stdout
    assert "silver.new" not in warm.stdout
    assert json.loads(project.floe("status", "--json").stdout)["urls"] == before["urls"]
    tables = json.loads(project.floe("tables", "--json").stdout)["tables"]
    assert {item["name"]: item["rows"] for item in tables}["silver.last"] == 2

    # Data deleted: the next up is a first one again.
    assert project.floe("down", "--volumes").returncode == 0
    fresh = project.floe("up", "--progress", "json")
    assert fresh.returncode == 0, fresh.stderr
    lines = [json.loads(line) for line in fresh.stdout.splitlines()]
    assert all(line["schemaVersion"] == 1 for line in lines)
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["data"]["run"]["status"] == "success"
    assert {"service", "step", "asset"} <= {line["kind"] for line in lines}


def test_detached_the_first_run_goes_on(project: Project) -> None:
    done = project.floe("up", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"]["status"] == "running"
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        tables = json.loads(project.floe("tables", "--json").stdout)["tables"]
        if {item["name"] for item in tables} >= {"bronze.raw", "silver.last"}:
            return
        time.sleep(1)
    raise AssertionError(tables)


@pytest.mark.parametrize("moment", [0.15, 1.0, 2.5, "bronze/raw"])
def test_ctrl_c_leaves_nothing(moment: float | str, project: Project) -> None:
    """After some seconds of the start, and when the first run makes its first asset."""
    with subprocess.Popen(
        [str(FLOE), "up"],
        cwd=project.root,
        env=environment(project.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        if isinstance(moment, str):
            assert process.stderr is not None
            while (line := process.stderr.readline()) and moment not in line:
                pass
        else:
            time.sleep(moment)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    # Within the first moments it may be Python itself that is interrupted, before a line of floe has run.
    if process.returncode != -signal.SIGINT or moment != 0.15:
        assert process.returncode == ExitCode.INTERRUPTED, err
        assert "Traceback" not in err
    give_up = time.monotonic() + 60
    while project.processes() and time.monotonic() < give_up:
        time.sleep(0.1)
    assert project.processes() == []
    assert project.floe("status").returncode == ExitCode.NOT_RUNNING


def test_a_taken_port_is_replaced_and_told(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = project.floe("up", "--no-run", "--port", str(port))
        assert done.returncode == 0, done.stderr
        assert str(port) in done.stderr
        assert str(os.getpid()) in done.stderr, "the holder is named with its pid"
        status = json.loads(project.floe("status", "--json").stdout)
        assert not status["urls"]["dagster"].endswith(f":{port}")


def test_two_ups_at_once_make_one_stack(project: Project) -> None:
    both = [
        subprocess.Popen(
            [str(FLOE), "up", "--no-run", "--json"],
            cwd=project.root,
            env=environment(project.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    documents = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert documents[0]["supervisor_pid"] == documents[1]["supervisor_pid"]


def test_definitions_that_do_not_load_are_told(project: Project) -> None:
    (project.root / "definitions.py").write_text("import dagster as dg\nraise ValueError('the shop is closed')\n")
    done = project.floe("up")
    assert done.returncode == ExitCode.SERVICE_FAILED
    # Dagster's words, and the line in the project.
    for words in ("FLOE5001", "the shop is closed", "definitions.py:2", "fix:"):
        assert words in done.stderr
    capsule = project.capsule("up", done.stderr)
    assert "the shop is closed" in project.told(capsule, "open", str(capsule))
    assert "the shop is closed" in project.told(capsule, "logs", "--capsule", str(capsule), "dagster-code")
    (start,) = json.loads(project.told(capsule, "traces", "--capsule", str(capsule), "--json"))["traces"]
    assert (start["name"], start["state"]) == ("floe up", "error")
    assert project.floe("status").returncode == ExitCode.NOT_RUNNING


def test_a_package_that_is_too_old_is_named_not_what_it_breaks(project: Project, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "pyiceberg").mkdir(parents=True)
    (old / "pyiceberg" / "__init__.py").write_text("__version__ = '0.4.0'\n")
    (old / "pyiceberg-0.4.0.dist-info").mkdir()
    (old / "pyiceberg-0.4.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pyiceberg\nVersion: 0.4.0\n"
    )
    project.env["PYTHONPATH"] = str(old)
    done = project.floe("up", "--json")
    assert done.returncode == ExitCode.MACHINE, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "FLOE9104"
    assert "pyiceberg 0.4.0 (needs" in error["what"]
    assert error["fix"].endswith("-m pip install --upgrade floe_dev")
    checks = json.loads(project.floe("doctor", "--json").stdout)["checks"]
    assert [item["status"] for item in checks if item["name"] == "packages"] == ["fail"]
    del project.env["PYTHONPATH"]
