"""Kill whatever runs, again and again, while somebody writes: no committed row is lost, and nothing is left behind.

A few kills by default; FLOE_KILLS=50 for many.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from floe_dev.drivers import docker
from floe_dev.drivers.markers import marked
from floe_dev.model.layout import Layout
from floe_dev.session import Session
from floe_dev.supervisor.lock import is_held, read_holder
from floe_dev.supervisor.paths import project_key, project_marker
from tests.cli.conftest import RunningStack
from tests.cli.helpers import floe
from tests.docker.conftest import STACK, begin
from tests.drivers.helpers import eventually

KILLS = int(os.environ.get("FLOE_KILLS", "4"))
#: Of so many kills one is the supervisor's.
SUPERVISOR_EVERY = 5
pytestmark = [pytest.mark.stack, pytest.mark.timeout(300 + 60 * KILLS)]


class Writer:
    """Appends one row at a time; `acknowledged` are the numbers whose commit was answered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over = threading.Event()
        self.acknowledged: list[int] = []
        self.refused = 0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        table: Any = None
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                if table is None:
                    table = self._session.catalog("floe").load_table("kills.rows")
                table.append(pa.table({"n": pa.array([number], pa.int64())}))
            except Exception:  # noqa: BLE001 - whatever the kind, the commit was not acknowledged
                table = None
                self.refused += 1
                time.sleep(0.2)
            else:
                self.acknowledged.append(number)

    def wait_for_another(self) -> None:
        had = len(self.acknowledged)
        eventually(lambda: len(self.acknowledged) > had, "nothing can be written", seconds=120)

    def end(self) -> None:
        self._over.set()
        self._thread.join(120)


@pytest.fixture
def stack(engine: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("kills")
    running = RunningStack(home / "p", {"XDG_STATE_HOME": str(home / "state")})
    monkeypatch.setenv("XDG_STATE_HOME", running.env["XDG_STATE_HOME"])
    begin(running.root)
    try:
        up = running.floe("up", "--stack", STACK, "--no-run", timeout=400)
        assert up.returncode == 0, up.stdout + up.stderr
        yield running
    finally:
        floe("down", "--volumes", cwd=running.root, env=running.env, timeout=120)
        docker.sweep(project_key(running.root), volumes=True)


def _containers(stack: RunningStack, client: Any) -> list[Any]:
    mine = {"label": f"{docker.PROJECT_LABEL}={project_key(stack.root)}"}
    return list(client.containers.list(filters=mine, ignore_removed=True))


def _kill_supervisor(stack: RunningStack) -> None:
    holder = read_holder(Layout(stack.root))
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    eventually(lambda: not is_held(Layout(stack.root)), "the supervisor lives", seconds=30)
    up = stack.floe("up", "--no-run", timeout=400)
    assert up.returncode == 0, up.stdout + up.stderr


def _ready(session: Session) -> bool:
    status = session.status()
    return status is not None and status.ready


def test_kills_lose_no_committed_row_and_leave_nothing(stack: RunningStack) -> None:
    client, session = docker.connect(), Session(stack.root)
    before = {service.name: service.port for service in session.status().services}  # type: ignore[union-attr]
    with session.duckdb("floe") as connection:
        connection.execute("CREATE SCHEMA kills; CREATE TABLE kills.rows (n BIGINT)")
    writer, chance = Writer(session), random.Random(20261125)
    killed: list[str] = []
    for number in range(1, KILLS + 1):
        # Something is committed between two kills, or there would be nothing to lose.
        writer.wait_for_another()
        time.sleep(chance.random())
        if number % SUPERVISOR_EVERY == 0 or number == KILLS:
            _kill_supervisor(stack)
            killed.append("supervisor")
        else:
            victim = chance.choice(_containers(stack, client))
            victim.kill()
            killed.append(victim.name.rpartition("-")[2])
        eventually(lambda: _ready(Session(stack.root)), f"not ready after the end of {killed[-1]}", seconds=180)
    writer.end()
    with session.duckdb("reader") as connection:
        rows = [row[0] for row in connection.execute("SELECT n FROM kills.rows").fetchall()]
    assert len(writer.acknowledged) >= KILLS
    lost = set(writer.acknowledged) - set(rows)
    assert not lost, f"{len(lost)} of {len(writer.acknowledged)} committed rows are gone after {killed}"
    assert len(rows) == len(set(rows))
    after = {service.name: service.port for service in session.status().services}  # type: ignore[union-attr]
    assert after == before
    print(f"\n{len(killed)} kills, {len(writer.acknowledged)} commits, {writer.refused} refused: {killed}")  # noqa: T201

    down = stack.floe("down", timeout=120)
    assert down.returncode == 0, down.stderr
    mine = {"label": f"{docker.PROJECT_LABEL}={project_key(stack.root)}"}
    assert client.containers.list(all=True, filters=mine) == []
    assert client.networks.list(filters=mine) == []
    assert marked(project_marker(stack.root)) == []
    assert len(client.volumes.list(filters=mine)) == 2
