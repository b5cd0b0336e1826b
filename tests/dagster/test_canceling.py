"""Runs that are canceled, by whoever waits for them and by somebody else, on the real stack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from floe_dev.errors import Code, ExitCode
from floe_dev.orchestrators.dagster.monitor import runs
from floe_dev.supervisor import client as supervisor
from tests.dagster.conftest import Stack, keys, wait_until

pytestmark = pytest.mark.stack

_ASSETS = """


@dg.asset(key=["gold", "quick"])
def quick() -> pa.Table:
    return pa.table({"a": [1]})


@dg.asset(key=["gold", "endless"], deps=[quick])
def endless() -> pa.Table:
    import time

    time.sleep(600)
    return pa.table({"a": [1]})


@dg.asset(key=["gold", "after"], deps=[endless])
def after() -> pa.Table:
    return pa.table({"a": [1]})
"""
_SELECTION = ("gold/quick", "gold/endless", "gold/after")


@pytest.fixture
def endless(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    """The project with an asset that never ends between two that do."""
    edited("shop/assets.py", (stack.root / "shop" / "assets.py").read_text() + _ASSETS)
    wait_until(lambda: "gold/after" in keys(stack))


@contextmanager
def begun(stack: Stack, told: Path, selection: tuple[str, ...] = _SELECTION) -> Iterator[subprocess.Popen[bytes]]:
    """`floe run` as a process whose progress is written to `told`."""
    command = [sys.executable, "-m", "floe_dev.cli", "run", *selection, "--progress", "plain"]
    with told.open("wb") as out, subprocess.Popen(command, cwd=stack.root, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.kill()


def newest(stack: Stack) -> str:
    return runs(stack.dagster)[0].run_id


@pytest.mark.usefixtures("endless")
def test_ctrl_c_tells_that_it_was_canceled_and_what_was_made_before(stack: Stack, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with begun(stack, told) as process:
        wait_until(lambda: "running gold/endless" in told.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == ExitCode.INTERRUPTED
    text = told.read_text()
    assert stack.dagster.run_status(newest(stack)) == "CANCELED", text
    assert "the run is canceled; made before, and kept: gold/quick\n" in text
    assert "canceled gold/endless" in text
    assert "failed" not in text
    assert "gold/after" not in text
    assert "FLOE" not in text


@pytest.mark.usefixtures("endless")
def test_ctrl_c_while_dagster_is_still_starting_the_run_cancels_it_too(stack: Stack, tmp_path: Path) -> None:
    """It said that the run was canceled, and the run went on: Dagster starts what it was asked for all the same."""
    told = tmp_path / "told"
    before = {one.run_id for one in runs(stack.dagster)}
    status = supervisor.status(stack.root)
    assert status is not None
    (code,) = [one.pid for one in status.services if one.name == "dagster-code"]
    assert code is not None
    os.kill(code, signal.SIGSTOP)  # the web server lists assets without it, and needs it to start a run
    try:
        with begun(stack, told) as process:
            # What it asks before is answered within milliseconds; the launch waits.
            time.sleep(6)
            process.send_signal(signal.SIGINT)
            wait_until(lambda: "stopping run of 3 assets" in told.read_text())
            os.kill(code, signal.SIGCONT)
            assert process.wait(60) == ExitCode.INTERRUPTED
    finally:
        os.kill(code, signal.SIGCONT)
    assert [one.status for one in runs(stack.dagster) if one.run_id not in before] == ["canceled"]
    assert "the run is canceled; nothing was made before" in told.read_text()


@pytest.mark.usefixtures("endless")
def test_a_run_that_somebody_else_cancels_has_not_failed(stack: Stack, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with begun(stack, told) as process:
        wait_until(lambda: "running gold/endless" in told.read_text())
        stack.dagster.cancel(newest(stack))
        assert process.wait(60) == ExitCode.RUN_FAILED
    text = told.read_text()
    assert "canceled gold/endless" in text
    assert f"{Code.RUN_CANCELED.id}: the run was canceled" in text
    assert "failed" not in text
    assert "need what failed" not in text
    assert "capsule" not in text


def test_a_run_is_followed_on_though_the_web_server_is_killed(
    stack: Stack, edited: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """It was given up, and nobody heard what became of it."""
    edited(
        "shop/assets.py", (stack.root / "shop" / "assets.py").read_text() + _ASSETS.replace("sleep(600)", "sleep(8)")
    )
    wait_until(lambda: "gold/after" in keys(stack))
    told = tmp_path / "told"
    with begun(stack, told, ("gold/quick", "gold/endless")) as process:
        wait_until(lambda: "running gold/endless" in told.read_text())
        status = supervisor.status(stack.root)
        assert status is not None
        (pid,) = [one.pid for one in status.services if one.name == "dagster-webserver"]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert process.wait(90) == ExitCode.OK, told.read_text()
    text = told.read_text()
    assert text.count("is followed again") == 1
    assert text.count("done gold/quick") == 1
    assert "done run of 2 assets" in text


def test_a_dbt_model_that_is_interrupted_has_not_failed(
    stack: Stack, edited: Callable[[str, str], Path], tmp_path: Path
) -> None:
    slow = "select count(*) as n from range(3000000) a, range(3000000) b where a.range * b.range % 7 = 1"
    edited("dbt/models/marts/slow.sql", f"{{{{ config(schema='gold') }}}}\n{slow}\n")
    wait_until(lambda: "gold/slow" in keys(stack))
    told = tmp_path / "told"
    with begun(stack, told, ("gold/slow",)) as process:
        wait_until(lambda: "running gold/slow" in told.read_text() or "running shop_dbt" in told.read_text())
        time.sleep(8)  # dbt has begun with the statement
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == ExitCode.INTERRUPTED
    text = told.read_text()
    assert "the run is canceled; nothing was made before" in text
    assert "failed" not in text
    assert "nterrupt" not in text.replace("\ninterrupted\n", "")
