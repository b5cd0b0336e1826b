"""Everything is materialized once, however many dashboards and `floe up` ask for it at the same moment."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from floe_dev.dashboard import LocalBackend
from floe_dev.errors import FloeError
from floe_dev.model import commands
from floe_dev.model.state import RunView
from floe_dev.orchestrators.dagster.monitor import runs
from floe_dev.session import Session
from tests.cli.helpers import FLOE, environment
from tests.cli.tiny import DEFINITIONS, make_tiny
from tests.drivers.helpers import eventually

pytestmark = pytest.mark.stack
_WAITING = """\
def raw():
    import time
    while (ROOT / "go_slow").exists():
        time.sleep(0.1)
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A project whose first run does not end before `go_slow` is gone, and what `floe up` finds of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = make_tiny(tmp_path / "shop")
    (root / "definitions.py").write_text(DEFINITIONS.replace("def raw():\n", _WAITING))
    (root / "go_slow").touch()
    session = Session(root)
    yield session
    session.down()


def _runs(session: Session) -> list[RunView]:
    try:
        return runs(session.dagster())
    except FloeError:
        return []


def test_a_first_run_that_many_ask_for_is_one_run_also_after_its_own_floe_up_was_killed(slow: Session) -> None:
    with subprocess.Popen([str(FLOE), "up"], cwd=slow.root, env=environment(), stdout=-3, stderr=-3) as up:
        eventually(lambda: [one.status for one in _runs(slow)] == ["started"], "no run begins", seconds=120)
        # It shows the run itself, so a dashboard that asks now leaves it to it.
        backend = LocalBackend(slow)
        assert backend.send(commands.FirstRun()) == "the first run is on its way"
        os.kill(up.pid, signal.SIGKILL)
    (begun,) = _runs(slow)
    assert not begun.over
    assert not slow.first_run_done()

    together = threading.Barrier(4)

    def ask(number: int) -> object:
        together.wait()
        if number == 0:
            return slow.first_run()
        return LocalBackend(Session(slow.root)).send(commands.FirstRun(always=number == 1))

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, number) for number in range(4)]
        time.sleep(2)
        assert [one.run_id for one in _runs(slow)] == [begun.run_id]
        (slow.root / "go_slow").unlink()
        for one in asked:
            one.result(60)
    eventually(lambda: _runs(slow)[0].over, "the run does not end", seconds=60)
    (ended,) = _runs(slow)
    assert (ended.run_id, ended.status) == (begun.run_id, "success")
    assert slow.first_run_done()
