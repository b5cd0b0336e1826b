"""`floe_dev.Session` as a context manager, plain and async."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import floe_dev
from floe_dev.errors import FloeError
from floe_dev.session import UpOptions
from floe_dev.supervisor import client
from tests.cli.tiny import make_tiny
from tests.supervisor.helpers import TinyStack, service

TABLES = ["bronze.other", "bronze.raw", "silver.clean", "silver.last"]


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_with_brings_the_stack_up_and_stops_it_plain_and_async(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = make_tiny(tmp_path / "my shop ü")
    project = TinyStack(root)
    try:
        with floe_dev.Session(root) as session:
            assert session.run().status == "success"
            with floe_dev.Session(root) as again:
                assert again.status() is not None
            assert session.status() is not None, "the inner one did not start it, so it did not stop it"
            assert sorted(str(table.identifier) for table in session.tables()) == TABLES
        project.assert_gone(20)

        async def work() -> list[str]:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1

            beside = asyncio.create_task(tick())
            async with floe_dev.Session(root) as session:
                started = ticks
                found = sorted(str(table.identifier) for table in session.tables())
            beside.cancel()
            assert started > 20, "the event loop went on while the stack started"
            return found

        # The tables outlive the stack.
        assert asyncio.run(work()) == TABLES
        project.assert_gone(20)
    finally:
        project.clean()


class TestSmallServices:
    @pytest.fixture(autouse=True)
    def supervisor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "SUPERVISOR", "tests.supervisor.tiny")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def test_an_error_in_the_block_stops_it_too(self, tmp_path: Path) -> None:
        project = TinyStack(make_tiny(tmp_path / "shop"))
        project.declare(service("a"))

        def work() -> None:
            with floe_dev.Session(project.root):
                assert project.processes()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            work()
        project.assert_gone()

    def test_a_cancelled_task_stops_what_it_started(self, tmp_path: Path) -> None:
        project = TinyStack(make_tiny(tmp_path / "shop"))
        project.declare(service("a"))

        async def work() -> None:
            async with asyncio.timeout(30):
                async with floe_dev.Session(project.root):
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                    await asyncio.sleep(10)

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(work())
        project.assert_gone()

    def test_a_start_that_fails_leaves_nothing_running(self, tmp_path: Path) -> None:
        project = TinyStack(make_tiny(tmp_path / "shop"))
        project.declare(service("good"), steps=[{"name": "later", "seconds": 0.5, "fails": "it cannot be"}])
        with pytest.raises(FloeError), floe_dev.Session(project.root, UpOptions(timeout=15)):
            pytest.fail("it never began")
        project.assert_gone()
