"""A wall clock that jumps, as after a suspended laptop or in a virtual machine: nothing that counts goes by it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.drivers.helpers import eventually
from tests.supervisor.helpers import TinyStack, fetch, service

DAY = 86_400.0


@pytest.fixture
def clock(stack: TinyStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock.install(tmp_path / "clock")
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    return clock


@pytest.mark.parametrize("days", [2, -2])
def test_a_jump_during_the_start_is_no_timeout(stack: TinyStack, clock: Clock, days: int) -> None:
    stack.declare(service("slow", "--delay", "1.5"), service("after", depends_on=["slow"]))
    told = []
    for event in stack.begin(timeout_seconds=30):
        told.append(event)
        if event.kind == "service" and event.name == "slow" and event.data["state"] == "starting":
            clock.jump(days * DAY)
    assert told[-1].kind == "ready"
    assert abs(told[-1].time - time.time() - days * DAY) < 60, "the supervisor did not see the jump"
    status = stack.status()
    assert status is not None
    assert status.ready
    stack.down()
    stack.assert_gone()


def test_a_running_stack_goes_on_and_mends_itself(stack: TinyStack, clock: Clock) -> None:
    stack.declare(service("a"))
    stack.up()
    for days in (2, -2):
        clock.jump(days * DAY)
        port, killed = stack.port("a"), stack.pid("a")
        os.kill(killed, signal.SIGKILL)
        wait_for_another(port, killed)
        assert stack.port("a") == port
    started = time.monotonic()
    stack.down()
    assert time.monotonic() - started < 30
    stack.assert_gone()


def wait_for_another(port: int, killed: int) -> None:
    def answers() -> bool:
        with contextlib.suppress(OSError):
            return int(fetch(port)) != killed
        return False

    eventually(answers, "it was not started again")
