"""A service that was ready and does not answer any more is told, and left alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from floe_dev.model.commands import RestartService
from floe_dev.model.status import Health, ServiceState
from floe_dev.supervisor import client
from floe_dev.supervisor.liveness import INTERVAL, LIMIT
from tests.drivers.helpers import eventually
from tests.supervisor.helpers import TinyStack, fetch, service


def state(stack: TinyStack, name: str) -> ServiceState:
    status = stack.status()
    assert status is not None
    return next(one.state for one in status.services if one.name == name)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the kernel does not say so here")
def test_a_stopped_process_is_told_with_what_lets_it_go_on(stack: TinyStack) -> None:
    """It was ready for as long as it lived: nobody asked it anything after that."""
    stack.declare(service("a"), service("b", probe=None, settle_seconds=0.0))
    stack.up()
    pids = {name: stack.pid(name) for name in ("a", "b")}
    for name, pid in pids.items():
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda name=name: state(stack, name) is ServiceState.HUNG, "it is not told")  # type: ignore[misc]
    status = stack.status()
    assert status is not None
    assert not status.ready
    assert [one.reason for one in status.services] == [
        f"its process is stopped; it goes on with: kill -CONT {pid}" for pid in pids.values()
    ]
    assert {one.health for one in status.services} == {Health.UNHEALTHY}
    for pid in pids.values():
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: stack.status().ready, "it is not ready again")  # type: ignore[union-attr]
    assert {name: stack.pid(name) for name in ("a", "b")} == pids, "it was restarted"
    stack.down()
    stack.assert_gone()


def test_a_server_that_hangs_is_told_and_goes_on_when_it_answers_again(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    fetch(stack.port("a"), f"/hang/{LIMIT * 2 + 8}")
    began = time.monotonic()
    eventually(lambda: state(stack, "a") is ServiceState.HUNG, "it is not told", seconds=INTERVAL + 2 * LIMIT + 8)
    assert time.monotonic() - began > LIMIT, "one slow answer was told"
    status = stack.status()
    assert status is not None
    assert status.services[0].reason == f"hangs: no answer within {LIMIT:g} s"
    eventually(lambda: state(stack, "a") is ServiceState.READY, "it is not ready again")
    assert status.services[0].pid == stack.pid("a")


def test_one_slow_answer_is_nothing_to_tell(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    fetch(stack.port("a"), f"/hang/{LIMIT + 0.5}")
    give_up = time.monotonic() + LIMIT + INTERVAL + 1
    while time.monotonic() < give_up:
        assert state(stack, "a") is ServiceState.READY
        time.sleep(0.1)


def test_a_service_that_hangs_is_stopped_and_restarted_as_any_other(stack: TinyStack) -> None:
    stack.declare(service("a", stop_grace_seconds=0.5))
    stack.up()
    before = stack.pid("a")
    os.kill(before, signal.SIGSTOP)
    eventually(lambda: state(stack, "a") is ServiceState.HUNG, "it is not told")
    assert client.send(stack.root, RestartService("a")) == "a was restarted"
    assert stack.pid("a") != before
    assert state(stack, "a") is ServiceState.READY
