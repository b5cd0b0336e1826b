"""kill -9 of anything and Ctrl-C at any moment: nothing of the stack stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.supervisor.paths import project_marker
from floe_dev.supervisor.quick import TIMEOUT_SECONDS, quick_status
from tests.drivers.helpers import alive, eventually
from tests.supervisor.helpers import TinyStack, service, start_elsewhere

#: The moments are random, and the same in every run.
RANDOM = random.Random(20)


def _declare(stack: TinyStack) -> None:
    stack.declare(
        service("a", "--family"),
        service("b", "--stubborn", depends_on=["wait"], fork_after="http.server"),
        steps=[{"name": "wait", "depends_on": ["a"], "seconds": 0.2}],
    )


def _guardians(stack: TinyStack) -> list[int]:
    needle = f"floe_dev.drivers.guardian\0{project_marker(stack.root)}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if needle in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_kill_9_of_the_supervisor_ends_everything_and_the_next_up_works(stack: TinyStack) -> None:
    _declare(stack)
    stack.up()
    ports = stack.port("a"), stack.port("b")
    stack.kill_supervisor()
    eventually(lambda: not stack.processes(), "processes outlived their supervisor", seconds=20)
    assert stack.status() is None
    assert stack.up()[-1].kind == "ready"
    assert (stack.port("a"), stack.port("b")) == ports
    stack.down()
    stack.assert_gone()


@pytest.mark.parametrize("moment", [round(RANDOM.uniform(0.02, 0.9), 3) for _ in range(6)])
def test_kill_9_of_the_supervisor_while_it_starts(stack: TinyStack, moment: float) -> None:
    _declare(stack)
    up = start_elsewhere(stack.root)
    time.sleep(moment)
    eventually(lambda: stack.layout.lock_file.exists() and stack.layout.lock_file.stat().st_size > 0, "no supervisor")
    stack.kill_supervisor()
    said = up.communicate(timeout=20)[0].decode()
    assert "FLOE2002" in said or said.splitlines()[-1].strip() == "ready"
    eventually(lambda: not stack.processes(), "processes outlived their supervisor", seconds=20)
    assert stack.up()[-1].kind == "ready"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("moment", [round(RANDOM.uniform(0.2, 0.75), 3) for _ in range(3)])
def test_an_up_that_is_interrupted_leaves_nothing(stack: TinyStack, moment: float, how: signal.Signals) -> None:
    stack.declare(
        service("a", "--family"),
        service("b", depends_on=["wait"]),
        steps=[{"name": "wait", "depends_on": ["a"], "seconds": 60}],
    )
    up = start_elsewhere(stack.root)
    time.sleep(moment)
    up.send_signal(how)
    up.communicate(timeout=20)
    stack.assert_gone(seconds=0.3 if how is signal.SIGINT and moment > 0.4 else 8)


def test_ctrl_c_after_ready_leaves_the_stack(stack: TinyStack) -> None:
    stack.declare(service("a"))
    up = start_elsewhere(stack.root)
    assert up.communicate(timeout=20)[0].decode().splitlines()[-1].strip() == "ready"
    assert stack.status() is not None


def test_leaving_the_iterator_early_ends_what_it_started(stack: TinyStack) -> None:
    _declare(stack)
    events = stack.begin()
    next(events)
    events.close()  # type: ignore[attr-defined]
    stack.assert_gone(seconds=0.1)


def test_leaving_as_a_second_watcher_leaves_the_start_alone(stack: TinyStack) -> None:
    stack.declare(service("a", "--delay", "1"))
    first = start_elsewhere(stack.root)
    assert first.stdout is not None
    first.stdout.readline()
    second = stack.begin()
    next(second)
    second.close()  # type: ignore[attr-defined]
    assert first.communicate(timeout=20)[0].decode().splitlines()[-1].strip() == "ready"


def test_supervisor_and_guardian_killed_together(stack: TinyStack) -> None:
    """What then outlives them (the grandchild in its own session) is found by its marker at the next down."""
    _declare(stack)
    stack.up()
    (guardian,) = _guardians(stack)
    supervisor = stack.supervisor_pid()
    a, b = stack.pid("a"), stack.pid("b")
    for pid in (guardian, supervisor):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(a), "its direct child outlived it")
    assert stack.processes() != []
    stack.down()
    stack.assert_gone()
    assert not alive(b)


def test_a_killed_guardian_is_replaced(stack: TinyStack) -> None:
    _declare(stack)
    stack.up()
    (guardian,) = _guardians(stack)
    os.kill(guardian, signal.SIGKILL)
    eventually(lambda: bool(set(_guardians(stack)) - {guardian}), "no new guardian")
    stack.kill_supervisor()
    eventually(lambda: not stack.processes(), "the new guardian does not guard", seconds=20)
    eventually(lambda: not _guardians(stack), "the guardian stayed")


def test_a_supervisor_that_hangs_is_told_to_all_and_ended_by_down(stack: TinyStack) -> None:
    """The status said that it was stopped; `floe up` and `floe down` waited for as long as it hung."""
    _declare(stack)
    stack.up()
    pid = stack.supervisor_pid()
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    for ask in (stack.status, lambda: quick_status(stack.root), stack.up):
        with pytest.raises(FloeError) as told:
            ask()
        assert told.value.code is Code.SUPERVISOR_FAILED
        assert told.value.what == "the supervisor does not answer"
        assert f"its process {pid} lives" in (told.value.why or "")
        assert told.value.fix == "floe down && floe up"
    stack.down()
    assert time.monotonic() - began < 4 * TIMEOUT_SECONDS + 8
    stack.assert_gone()
    assert stack.up()[-1].kind == "ready"


def test_a_down_during_an_up_is_told_as_that(stack: TinyStack) -> None:
    """It was told as a supervisor that may have been killed."""
    stack.declare(service("a", "--delay", "30"))
    starting = stack.begin()
    for event in starting:
        if event.kind == "service" and event.data["state"] == "starting":
            break
    stack.down()
    with pytest.raises(FloeError) as told:
        list(starting)
    assert told.value.code is Code.NOT_RUNNING
    assert told.value.what == "the stack was stopped while it was starting"
    stack.assert_gone()


def test_a_sigterm_to_the_supervisor_is_a_down(stack: TinyStack) -> None:
    _declare(stack)
    stack.up()
    os.kill(stack.supervisor_pid(), signal.SIGTERM)
    stack.assert_gone()


def test_what_a_killed_machine_left_is_ended_by_the_next_up_and_told(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    stack.down()
    left = subprocess.Popen(
        ["sleep", "600"], env={**os.environ, "FLOE_INSTANCE": project_marker(stack.root) + "earlier"}
    )
    try:
        events = stack.up()
        assert left.wait(5) == -signal.SIGKILL
        assert any("1 processes that a killed stack" in str(e.data.get("text")) for e in events)
    finally:
        left.kill()
        left.wait()
