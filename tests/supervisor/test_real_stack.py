"""The embedded stack itself: the sample project's catalog and Dagster, started, killed in parts and ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from floe_dev.config.bundled import bundled
from floe_dev.drivers.ports import is_free
from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.model.status import Event, ServiceState
from floe_dev.supervisor import client
from floe_dev.supervisor.core import STOP_SECONDS
from tests.drivers.helpers import eventually, free_port
from tests.supervisor.helpers import TinyStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
SERVICES = {"catalog", "dagster-code", "dagster-webserver", "dagster-daemon", "telemetry"}


def some_ports() -> tuple[tuple[str, int], ...]:
    """Ports of this test's own: stacks elsewhere on this machine use the preferred ones."""
    return tuple((name, free_port()) for name in ("catalog", "dagster-code", "dagster-webserver", "telemetry"))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyStack]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "mein lädchen 湖"
    shutil.copytree(bundled("sample_project"), root, ignore=shutil.ignore_patterns(".floe", "__pycache__"))
    stack = TinyStack(root)
    yield stack
    stack.clean()


def _details(events: list[Event]) -> dict[str, str | None]:
    return {e.name: e.data.get("detail") for e in events if e.kind == "step" and e.data["state"] == "done"}


def _assets(stack: TinyStack) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port('dagster-webserver')}/graphql",
        json.dumps({"query": "{ assetNodes { id } }"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return len(json.load(answer)["data"]["assetNodes"])


def _all_ready(stack: TinyStack) -> bool:
    status = stack.status()
    return status is not None and all(s.state is ServiceState.READY for s in status.services)


def test_the_stack_comes_up_survives_kills_and_ends(shop: TinyStack) -> None:
    cold = shop.up(timeout_seconds=300, ports=some_ports())
    status = shop.status()
    assert status is not None
    assert status.ready
    assert {s.name for s in status.services} == SERVICES
    assert "created" in (_details(cold)["provision"] or "")
    assert _assets(shop) > 0
    ports = json.loads(shop.layout.state_file.read_text())["ports"]
    secrets = shop.layout.secrets_file.read_bytes()

    for name in ("catalog", "dagster-code", "dagster-webserver", "telemetry"):
        os.kill(shop.pid(name), signal.SIGKILL)
    eventually(
        lambda: _all_ready(shop) and all(s.restarts == 1 for s in shop.status().services if s.name != "dagster-daemon"),  # type: ignore[union-attr]
        "not everything came back",
        seconds=90,
    )
    assert json.loads(shop.layout.state_file.read_text())["ports"] == ports

    shop.kill_supervisor()
    eventually(lambda: not shop.processes(), "processes outlived their supervisor", seconds=20)
    # A process that is ending loses its environment first and closes its sockets a moment later.
    eventually(lambda: all(is_free(port) for port in ports.values()), "a port is still open")

    warm = shop.up(timeout_seconds=300)
    steps = _details(warm)
    assert {steps[name] for name in ("provision", "manifest", "storage")} == {"unchanged"}
    assert "drop" in (steps["readiness"] or "")
    assert json.loads(shop.layout.state_file.read_text())["ports"] == ports
    assert shop.layout.secrets_file.read_bytes() == secrets
    assert _assets(shop) > 0

    # Dagster hangs, and a command waits for it: neither the answers nor the end of the stack do.
    os.kill(shop.pid("dagster-webserver"), signal.SIGSTOP)
    supervisor = psutil.Process(shop.supervisor_pid())
    threads = supervisor.num_threads()
    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(client.send, shop.root, commands.Materialize(("bronze/customers",)))
        eventually(lambda: supervisor.num_threads() > threads, "the command is not under way")
        began = time.monotonic()
        assert shop.status() is not None
        assert time.monotonic() - began < 10
        assert not asked.done()
        told = shop.down()
        assert time.monotonic() - began < STOP_SECONDS + 3
        stopped = asked.exception(1)
    assert isinstance(stopped, FloeError)
    assert stopped.what == "the stack was stopped before the command was over"
    assert not any(e.data.get("state") in ("failed", "restarting") for e in told)
    shop.assert_gone()
    for log in shop.layout.logs_dir.iterdir():
        for line in json.loads(secrets)["principals"].values():
            assert line["client_secret"] not in log.read_text(errors="replace")


def test_a_dbt_project_that_does_not_parse_ends_the_start(shop: TinyStack) -> None:
    model = shop.root / "dbt" / "models" / "marts" / "orders.sql"
    model.write_text("select * from {{ ref('no_such_model') }}\n")
    with pytest.raises(FloeError) as failed:
        shop.up(timeout_seconds=300, ports=some_ports())
    assert failed.value.code is Code.DBT_PARSE_FAILED
    assert "no_such_model" in str(failed.value)
    shop.assert_gone()
