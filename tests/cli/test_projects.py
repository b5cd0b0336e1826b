"""Which project a command works on, with real supervisor sockets that have no services behind them."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from floe_dev.errors import ExitCode
from floe_dev.model.layout import Layout
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.lock import Holder, SupervisorLock
from floe_dev.supervisor.paths import socket_path
from floe_dev.supervisor.registry import register
from floe_dev.supervisor.server import SocketServer
from tests.cli.helpers import floe


@contextmanager
def answering(root: Path) -> Iterator[None]:
    """Answer for `root` as its supervisor would."""
    root.mkdir(exist_ok=True)
    (root / "floe.yaml").write_text(f"name: {root.name}\n")
    register(root)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    (root / ".floe").mkdir()
    lock = SupervisorLock.acquire(Layout(root))
    assert lock is not None
    lock.describe(Holder(str(root.resolve()), os.getpid(), "test", str(socket_path(root))))

    async def serve() -> SocketServer:
        hub = Hub(project=str(root), instance="test", pid=os.getpid())
        hub.name_stack("embedded")
        hub.ready = True
        hub.urls = {"dagster": "http://127.0.0.1:1"}
        server = SocketServer(hub, {}, stop=lambda: None)
        await server.listen(socket_path(root))
        return server

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        lock.release()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        socket_path(root).unlink(missing_ok=True)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A registry of the test's own, for this process and the ones it starts."""
    variables = {"XDG_STATE_HOME": str(tmp_path / "state")}
    monkeypatch.setenv("XDG_STATE_HOME", variables["XDG_STATE_HOME"])
    return variables


def project_of(cwd: Path, env: dict[str, str], *arguments: str) -> str:
    content = json.loads(floe("status", "--json", *arguments, cwd=cwd, env=env).stdout)
    return str(content["project"])


def test_from_a_folder_below_the_project(tmp_path: Path, env: dict[str, str]) -> None:
    below = tmp_path / "a" / "dbt" / "models"
    below.mkdir(parents=True)
    (tmp_path / "a" / "floe.yaml").write_text("name: a\n")
    assert project_of(below, env) == str(tmp_path / "a")


def test_the_option_works_before_and_after_the_command(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "floe.yaml").write_text("name: a\n")
    assert project_of(tmp_path, env, "--project", "a") == str(tmp_path / "a")
    assert project_of(tmp_path, env, "--project", "a/floe.yaml") == str(tmp_path / "a")
    done = floe("--project", "a", "status", "--json", cwd=tmp_path, env=env)
    assert json.loads(done.stdout)["project"] == str(tmp_path / "a")


def test_a_symlink_leads_to_the_same_project(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "floe.yaml").write_text("name: a\n")
    (tmp_path / "link").symlink_to("a")
    assert project_of(tmp_path / "link", env) == str(tmp_path / "a")


def test_outside_a_project_the_only_running_stack_is_meant(tmp_path: Path, env: dict[str, str]) -> None:
    with answering(tmp_path / "one"):
        assert project_of(tmp_path, env) == str(tmp_path / "one")
        done = floe("status", cwd=tmp_path, env=env)
        assert done.returncode == 0
        assert "ready" in done.stdout


def test_with_several_the_error_lists_them(tmp_path: Path, env: dict[str, str]) -> None:
    with ExitStack() as stacks:
        for name in ("one", "two ü"):
            stacks.enter_context(answering(tmp_path / name))
        done = floe("status", "--json", cwd=tmp_path, env=env)
        assert done.returncode == ExitCode.CONFIG
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "FLOE1002"
        assert error["detail"] == [str(tmp_path / "one"), str(tmp_path / "two ü")] or len(error["detail"]) == 2
        listed = json.loads(floe("ps", "--json", cwd=tmp_path, env=env).stdout)["stacks"]
        assert {item["project"] for item in listed} == {str(tmp_path / "one"), str(tmp_path / "two ü")}


def test_of_several_the_only_one_below_the_working_directory_is_meant(tmp_path: Path, env: dict[str, str]) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    with ExitStack() as stacks:
        for name in ("one", "two"):
            stacks.enter_context(answering(tmp_path / name))
        (clone / "plain").mkdir()
        (clone / "plain" / "dbt_project.yml").write_text("name: plain\n")
        unclear = floe("status", "--json", cwd=clone, env=env)
        fix = json.loads(unclear.stdout)["error"]["fix"]
        assert fix.split()[1:] in [["--project", str(tmp_path / name), "status", "--json"] for name in ("one", "two")]
        (clone / "shop").mkdir()
        (clone / "shop" / "floe.yaml").write_text("name: shop\n")
        assert project_of(clone, env) == str(clone / "shop")
        stacks.enter_context(answering(clone / "other"))
        assert floe("status", "--json", cwd=clone, env=env).returncode == ExitCode.CONFIG


def test_a_wrong_option_is_told_with_what_is_near(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "floe.yaml").write_text("name: a\n")
    done = floe("status", "--project", ".", cwd=tmp_path, env=env)
    assert done.returncode == ExitCode.CONFIG
    assert "--project a" in done.stderr
    missing = floe("status", "--project", "nowhere", cwd=tmp_path, env=env)
    assert "there is no folder nowhere" in missing.stderr


def test_ps_without_stacks_is_an_empty_list(tmp_path: Path, env: dict[str, str]) -> None:
    assert json.loads(floe("ps", "--json", cwd=tmp_path, env=env).stdout)["stacks"] == []
    assert floe("ps", cwd=tmp_path, env=env).returncode == 0


def test_a_supervisor_that_does_not_answer_hangs_nobody(tmp_path: Path, env: dict[str, str]) -> None:
    import socket

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "floe.yaml").write_text("name: a\n")
    (tmp_path / "a" / ".floe").mkdir()
    lock = SupervisorLock.acquire(Layout(tmp_path / "a"))
    assert lock is not None
    lock.describe(Holder(str(tmp_path / "a"), os.getpid(), "test", str(socket_path(tmp_path / "a"))))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(tmp_path / "a")))
        listener.listen()
        try:
            done = floe("status", cwd=tmp_path / "a", env=env, timeout=15)
        finally:
            socket_path(tmp_path / "a").unlink()
            lock.release()
    assert done.returncode == ExitCode.SERVICE_FAILED
    assert "FLOE2002" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("sql", "select 1"), ("tables",), ("env",), ("open",), ("restart",), ("run",), ("exec", "--", "true")]
)
def test_what_needs_a_stack_says_so(arguments: tuple[str, ...], tmp_path: Path, env: dict[str, str]) -> None:
    made = floe("init", "shop", cwd=tmp_path, env=env)
    assert made.returncode == 0, made.stderr
    done = floe(*arguments, cwd=tmp_path / "shop", env=env)
    assert done.returncode == ExitCode.NOT_RUNNING, done.stderr
    assert "FLOE2001" in done.stderr
    assert done.stdout == ""


def test_down_when_down_is_fine(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "floe.yaml").write_text("name: a\n")
    done = floe("down", cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert "was not running" in done.stderr
    assert floe("down", "--all", cwd=tmp_path, env=env).returncode == 0


def test_reset_needs_a_yes_and_touches_only_its_folder(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "floe.yaml").write_text("name: a\n")
    state = tmp_path / ".floe"
    assert floe("reset", cwd=tmp_path, env=env).returncode == 0
    (state / "warehouse").mkdir(parents=True)
    (state / "warehouse" / "x.parquet").write_text("data")
    (state / "logs").mkdir()
    assert floe("reset", cwd=tmp_path, env=env).returncode == ExitCode.USAGE
    assert floe("reset", "--keep-data", "--yes", cwd=tmp_path, env=env).returncode == 0
    assert (state / "warehouse" / "x.parquet").exists()
    assert not (state / "logs").exists()
    assert floe("reset", "--yes", cwd=tmp_path, env=env).returncode == 0
    assert not state.exists()
    assert (tmp_path / "floe.yaml").exists()
