"""Up, status, down: what is started, in which order, and that nothing stays."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import RestartService
from floe_dev.model.status import ServiceState
from floe_dev.supervisor import client
from floe_dev.supervisor.lock import read_holder
from floe_dev.supervisor.quick import quick_status, running_projects
from floe_dev.supervisor.registry import registry_dir
from tests.drivers.helpers import alive, eventually
from tests.supervisor.helpers import TinyStack, fetch, service


def test_up_status_down(stack: TinyStack) -> None:
    stack.declare(
        service("catalog"),
        service("web", depends_on=["provision"], fork_after="http.server"),
        steps=[{"name": "provision", "depends_on": ["catalog"], "seconds": 0.1}],
    )
    events = stack.up()
    assert events[-1].kind == "ready"
    order = [(e.name, e.data["state"]) for e in events if e.kind in ("service", "step")]
    assert order.index(("catalog", "ready")) < order.index(("provision", "running"))
    assert order.index(("provision", "done")) < order.index(("web", "starting"))

    status = stack.status()
    assert status is not None
    assert status.ready
    assert {s.name: s.state for s in status.services} == {"catalog": ServiceState.READY, "web": ServiceState.READY}
    assert status.urls["web"] == f"http://127.0.0.1:{stack.port('web')}"
    step = status.steps[0]
    assert (step.state, step.detail) == ("done", "did it")
    assert step.seconds is not None
    assert step.seconds >= 0.1
    assert quick_status(stack.root) == status.model_dump(mode="json", by_alias=True)
    assert running_projects() == [stack.root]
    assert {int(fetch(stack.port(name))) for name in ("catalog", "web")} <= set(stack.processes())

    started = time.monotonic()
    told = stack.down()
    assert time.monotonic() - started < 10
    assert told[-1].kind == "stopped"
    assert stack.status() is None
    assert running_projects() == []
    stack.assert_gone(seconds=1)
    assert stack.down() == []


def test_independent_services_start_at_the_same_time(stack: TinyStack) -> None:
    stack.declare(*(service(f"s{i}", "--delay", "1") for i in range(4)))
    events = stack.up()
    first = next(e.time for e in events if e.data.get("state") == "starting")
    assert events[-1].time - first < 3


def test_the_same_ports_after_a_restart(stack: TinyStack) -> None:
    stack.declare(service("a"), service("b"))
    stack.up()
    before = {name: stack.port(name) for name in ("a", "b")}
    stack.down()
    stack.declare(service("a"), service("b"))  # declared with others now
    stack.up()
    assert {name: stack.port(name) for name in ("a", "b")} == before


def test_a_taken_port_is_replaced_and_told(stack: TinyStack) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        wanted = other.getsockname()[1]
        stack.declare(service("a", port=wanted))
        notice = next(e.data["text"] for e in stack.up() if e.kind == "notice")
    assert str(wanted) in notice
    assert f"(pid {os.getpid()})" in notice
    assert str(stack.port("a")) in notice
    assert stack.port("a") != wanted
    assert int(fetch(stack.port("a"))) == stack.pid("a")
    stack.down()
    assert [e for e in stack.up() if e.kind == "notice"] == []  # remembered, and its own


def test_a_port_asked_for_goes_before_the_remembered_one(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    remembered = stack.port("a")
    stack.down()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        asked = probe.getsockname()[1]
    assert asked != remembered
    stack.up(ports=(("a", asked),))
    assert stack.port("a") == asked


def test_up_while_up_attaches(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    before = stack.pid("a")
    again = stack.up()
    assert again[-1].kind == "ready"
    assert stack.pid("a") == before


def test_another_stack_while_one_runs_is_refused(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    with pytest.raises(FloeError) as refused:
        stack.up(stack="other")
    assert refused.value.code is Code.ANOTHER_STACK_RUNS
    assert stack.status() is not None


def test_restart_gives_a_new_process_on_the_same_port(stack: TinyStack) -> None:
    stack.declare(service("a"), service("b", fork_after="http.server"))
    stack.up()
    for name in ("a", "b"):
        pid, port = stack.pid(name), stack.port(name)
        client.send(stack.root, RestartService(name))
        assert stack.pid(name) != pid
        assert not alive(pid)
        assert int(fetch(port)) == stack.pid(name)
    with pytest.raises(FloeError) as unknown:
        client.send(stack.root, RestartService("c"))
    assert unknown.value.code is Code.NO_SUCH_SERVICE


def test_a_service_that_a_step_outdates_is_started_again_and_one_that_waits_is_not(stack: TinyStack) -> None:
    stack.declare(
        service("early"),
        service("starting", "--delay", "1"),
        service("late", depends_on=["credential"]),
        steps=[{"name": "credential", "depends_on": ["early"], "outdated": ["early", "starting", "late"]}],
    )
    events = stack.up()
    stopped = [event.name for event in events if event.kind == "service" and event.data["state"] == "stopped"]
    assert events[-1].kind == "ready"
    assert sorted(stopped) == ["early", "starting"]
    for name in ("early", "starting", "late"):
        assert int(fetch(stack.port(name))) == stack.pid(name)
    stack.down()
    stack.assert_gone(seconds=1)


def test_operations_need_a_running_stack(stack: TinyStack) -> None:
    stack.layout.state_dir.mkdir()
    for operation in (lambda: client.send(stack.root, RestartService("a")), lambda: list(client.events(stack.root))):
        with pytest.raises(FloeError) as error:
            operation()
        assert error.value.code is Code.NOT_RUNNING


def test_the_first_run_is_remembered(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    assert not client.first_run_done(stack.root)
    client.finish_first_run(stack.root)
    stack.down()
    assert client.first_run_done(stack.root)


def test_events_begin_with_what_is_known(stack: TinyStack) -> None:
    stack.declare(service("a"), steps=[{"name": "s"}])
    stack.up()
    following = client.events(stack.root)
    first = [next(following) for _ in range(3)]
    assert [(e.kind, e.name) for e in first] == [("service", "a"), ("step", "s"), ("ready", "")]
    stack.down()
    assert [e.kind for e in following][-1] == "stopped"


def test_everything_is_private_and_says_no_secret(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    holder = read_holder(stack.layout)
    assert holder is not None
    assert len(os.fsencode(holder.socket)) < 100
    assert Path(holder.socket).stat().st_mode & 0o777 == 0o600
    assert Path(holder.socket).parent.stat().st_mode & 0o777 == 0o700
    assert stack.layout.state_dir.stat().st_mode & 0o777 == 0o700
    for file in (stack.layout.state_file, stack.layout.lock_file, *stack.layout.logs_dir.iterdir()):
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert (stack.layout.state_dir / ".gitignore").read_text() == "*\n"
    (entry,) = registry_dir().iterdir()
    assert json.loads(entry.read_text()) == {"root": str(stack.root)}


def test_logs_show_this_start_and_keep_the_last(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    stack.down()
    stack.up()
    assert (stack.layout.logs_dir / "a.log").read_text().count("starting a") == 1
    assert (stack.layout.logs_dir / "a.log.previous").read_text().count("starting a") == 1


def test_a_socket_that_was_cleaned_away_comes_back(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    holder = read_holder(stack.layout)
    assert holder is not None
    Path(holder.socket).unlink()
    assert stack.status() is None
    eventually(lambda: stack.status() is not None, "the socket did not come back")


def test_the_environment_of_who_asks_does_not_matter(stack: TinyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.declare(service("a"))
    stack.up()
    other = stack.root.parent / "run"
    other.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other))
    assert stack.status() is not None
    stack.down()
    stack.assert_gone()


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_services_hear_ctrl_c_again(stack: TinyStack) -> None:
    """What is ignored stays ignored in every child, and Dagster ends dbt with SIGINT."""
    stack.declare(service("a"), service("b", fork_after="http.server"))
    stack.up()
    for name in ("a", "b"):
        ignored = next(
            line for line in Path(f"/proc/{stack.pid(name)}/status").read_text().splitlines() if "SigIgn" in line
        )
        mask = int(ignored.split()[1], 16)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            assert not mask & 1 << (number - 1), (name, number)
