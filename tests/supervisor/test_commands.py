"""Typed commands: their form on the wire, and what the supervisor does while one of them hangs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, get_args

import psutil
import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.supervisor import client
from floe_dev.supervisor.executing import AT_ONCE
from tests.drivers.helpers import eventually
from tests.supervisor.helpers import TinyStack, service

EVERY: tuple[commands.Command, ...] = (
    commands.StartStack("embedded", "local", 3000, 60.5, "never"),
    commands.FirstRun(always=True),
    commands.StopStack(),
    commands.RestartService("catalog"),
    commands.Materialize(("bronze/größe", "gold/metrics"), "2026-01-01"),
    commands.Backfill(("bronze/daily",), ("2026-01-01", "2026-01-02")),
    commands.CancelBackfill("abcdefgh"),
    commands.Cancel("0f" * 16),
    commands.Retry("0f" * 16),
    commands.ToggleAutomation("every_morning", "schedule", on=True, selector="id"),
    commands.LaunchRequests(
        "new_totals", (commands.RunRequest("numbers", "key", (("a", "b"),), "ops: {}", ("bronze/numbers",)),)
    ),
    # Beyond what a double holds: Iceberg's ids have 63 bits.
    commands.Rollback("silver.totals", (1 << 63) - 1, (1 << 62) + 1),
    commands.ExportCapsule("run 12345678: failure"),
)


def test_every_command_comes_out_of_its_json_as_it_went_in() -> None:
    assert {type(one) for one in EVERY} == set(get_args(commands.Command))
    for one in EVERY:
        assert commands.decode(json.loads(json.dumps(commands.encode(one)))) == one


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ({}, "None"),
        ({"name": "Teleport", "fields": {}}, "Teleport"),
        ({"name": ["Cancel"], "fields": {}}, "Cancel"),
        ({"name": "Cancel"}, "Cancel"),
        ({"name": "Cancel", "fields": {}}, "run_id"),
        ({"name": "Cancel", "fields": {"run_id": 5}}, "run_id"),
        ({"name": "Cancel", "fields": {"run_id": "a", "gently": True}}, "fields"),
        ({"name": "Rollback", "fields": {"table": "a.b", "snapshot_id": "x", "current": 1}}, "snapshot_id"),
        ({"name": "StopStack", "fields": {}}, "StopStack"),
    ],
)
def test_a_command_of_another_version_is_told_with_what_to_do(
    stack: TinyStack, message: dict[str, Any], named: str
) -> None:
    stack.declare(service("a"))
    stack.up()
    with pytest.raises(FloeError) as unknown:
        client._operate(stack.root, {"op": "command", **message})
    assert unknown.value.code is Code.SUPERVISOR_FAILED
    assert named in unknown.value.what
    assert unknown.value.why is not None
    assert "another version" in unknown.value.why
    assert unknown.value.fix == "floe down && floe up"
    assert stack.status() is not None


@pytest.mark.parametrize(
    "request_line",
    [
        b"\n",
        b"{}\n",
        b"\xff\xfe\x00garbage\n",
        b"null\n",
        b'{"op": "sta',
        b'{"op": 5}\n',
        b'{"op": ["status"]}\n',
        b'{"op": {"status": 1}}\n',
        b"[" * 200_000 + b"\n",
        b"GET / HTTP/1.1\r\n",
        pytest.param(b"x" * (17 << 20) + b"\n", id="17 MiB"),
    ],
)
def test_a_request_that_is_none_is_refused_in_words(stack: TinyStack, request_line: bytes) -> None:
    """Some ended the connection without an answer, which reads as the supervisor's end."""
    stack.declare(service("a"))
    stack.up()
    with client._connect(stack.root) as connection:  # type: ignore[union-attr]
        connection.settimeout(10)
        with contextlib.suppress(BrokenPipeError):  # it does not read on what is too long
            connection.sendall(request_line)
        connection.shutdown(socket.SHUT_WR)
        answer = json.loads(connection.makefile("rb").readline())
    error = FloeError.from_json(answer["error"])
    assert error.code is Code.SUPERVISOR_FAILED
    assert error.why is not None
    assert error.fix == "floe down && floe up"
    assert stack.status() is not None
    assert "Traceback" not in (stack.layout.logs_dir / "supervisor.log").read_text()


def test_an_error_with_a_code_of_another_version_keeps_its_words() -> None:
    told = {**FloeError(Code.NOT_RUNNING, "what", why="why", fix="fix").to_json(), "code": "FLOE2999"}
    read = FloeError.from_json(told)
    assert (read.code, read.what, read.why, read.fix) == (Code.INTERNAL, "what", "why", "fix")


class Asking(threading.Thread):
    """A command sent in a thread; what became of it."""

    def __init__(self, stack: TinyStack, command: commands.StackCommand) -> None:
        super().__init__(daemon=True)
        self.answer: str | FloeError | None = None
        self._stack, self._command = stack, command
        self.start()

    def run(self) -> None:
        try:
            self.answer = client.send(self._stack.root, self._command)
        except FloeError as error:
            self.answer = error

    def error(self, seconds: float) -> FloeError:
        self.join(seconds)
        assert isinstance(self.answer, FloeError), self.answer
        return self.answer


def hang_dagster(stack: TinyStack, count: int) -> list[Asking]:
    """A stack whose Dagster takes connections and answers none, and more commands to it than a pool has threads."""
    stack.declare(service("dagster"), service("other"))
    stack.up()
    os.kill(stack.pid("dagster"), signal.SIGSTOP)
    supervisor = psutil.Process(stack.supervisor_pid())
    # A thread of the start's may still come or go, which is why one is asked for more.
    asked = [Asking(stack, commands.Materialize(("bronze/numbers",))) for _ in range(count)]
    eventually(lambda: _under_way(supervisor) == count, "the commands are not under way")
    return asked


def _under_way(supervisor: psutil.Process) -> int:
    """Commands that wait for Dagster's answer: each has a connection of its own, and so a remote address."""
    return sum(1 for each in supervisor.net_connections("tcp") if each.raddr)


def test_a_hung_dagster_keeps_neither_status_nor_restart_nor_down_waiting(stack: TinyStack) -> None:
    asked = hang_dagster(stack, AT_ONCE)
    began = time.monotonic()
    status = stack.status()
    assert status is not None
    assert time.monotonic() - began < 10
    before = stack.pid("other")
    assert client.send(stack.root, commands.RestartService("other")) == "other was restarted"
    assert stack.pid("other") != before
    assert not any(one.answer for one in asked)

    began = time.monotonic()
    stack.down()
    # The hung service takes its grace of stopping, the commands nothing.
    assert time.monotonic() - began < 15
    for one in asked:
        error = one.error(1)
        assert error.code is Code.NOT_RUNNING
        assert "stopped before the command was over" in error.what
    stack.assert_gone()


def test_more_commands_than_can_hang_are_refused_until_one_is_over(stack: TinyStack) -> None:
    """Each had a thread of its own, without an end."""
    hanging = hang_dagster(stack, AT_ONCE)
    supervisor = psutil.Process(stack.supervisor_pid())
    threads = supervisor.num_threads()
    for _ in range(300):
        with pytest.raises(FloeError) as refused:
            client.send(stack.root, commands.Cancel("a"))
        assert refused.value.code is Code.TOO_MANY_COMMANDS
    assert refused.value.why == f"{AT_ONCE} commands wait for an answer of Dagster or the catalog"
    assert refused.value.fix == "floe status"
    assert supervisor.num_threads() <= threads
    assert not any(one.answer for one in hanging)

    # The service that hangs can be restarted all the same, and with its end every command's is there.
    assert client.send(stack.root, commands.RestartService("dagster")) == "dagster was restarted"
    for one in hanging:
        assert one.error(10).code is Code.DAGSTER_UNREACHABLE
    with pytest.raises(FloeError) as served:
        client.send(stack.root, commands.Cancel("a"))
    assert served.value.code is Code.DAGSTER_UNREACHABLE


def test_restarts_of_one_service_at_the_same_moment_leave_one_of_it(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    asked = [Asking(stack, commands.RestartService("a")) for _ in range(8)]
    for one in asked:
        one.join(60)
        assert one.answer == "a was restarted"
    assert _listeners(stack) == [stack.pid("a")]
    status = stack.status()
    assert status is not None
    assert (status.ready, status.services[0].restarts) == (True, 0)
    stack.down()
    stack.assert_gone()


def _listeners(stack: TinyStack) -> list[int]:
    """The stack's processes that are the test server."""
    found = []
    for pid in stack.processes():
        try:
            command = psutil.Process(pid).cmdline()
        except psutil.NoSuchProcess:
            continue
        if "tests.supervisor.server" in command:
            found.append(pid)
    return found


def test_a_supervisor_that_dies_with_a_command_is_told_and_nothing_told_as_done(stack: TinyStack) -> None:
    (asked,) = hang_dagster(stack, 1)
    stack.kill_supervisor()
    error = asked.error(5)
    assert error.code is Code.NOT_RUNNING
    assert error.what == "the supervisor ended before it answered"
    assert error.why == "how much of what it was asked for was done is not known"
    eventually(lambda: not stack.processes(), "processes outlived their supervisor", seconds=20)
    with pytest.raises(FloeError) as gone:
        client.send(stack.root, commands.Cancel("a"))
    assert gone.value.what == "the stack is not running"


def test_what_dagster_and_the_catalog_say_comes_back_as_it_is(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    with pytest.raises(FloeError) as not_up:
        client.send(stack.root, commands.Cancel("a"))
    assert not_up.value.code is Code.DAGSTER_UNREACHABLE
    with pytest.raises(FloeError) as many:
        client.send(stack.root, commands.Materialize(tuple(f"{'n' * 50}/{'m' * 50}{n}" for n in range(20_000))))
    assert many.value.what == not_up.value.what
    with pytest.raises(FloeError) as no_project:
        client.send(stack.root, commands.Rollback("a.b", 1, 2))
    assert no_project.value.code is Code.CONFIG_FILE_UNREADABLE
    assert no_project.value.where is not None


def test_a_command_is_carried_out_though_whoever_sent_it_is_gone(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    before = stack.pid("a")
    with client._connect(stack.root) as connection:  # type: ignore[union-attr]
        message = {"op": "command", **commands.encode(commands.RestartService("a"))}
        connection.sendall(json.dumps(message).encode() + b"\n")
    eventually(lambda: _restarted(stack, before), "it was not restarted")


def _restarted(stack: TinyStack, before: int) -> bool:
    status = stack.status()
    assert status is not None
    return status.ready and status.services[0].pid != before


def test_a_defect_is_told_as_one_and_the_supervisor_lives(stack: TinyStack) -> None:
    stack.declare(service("dagster"))
    stack.up()
    with pytest.raises(FloeError) as defect:
        # No kind of automation that Dagster has, which no screen sends.
        client.send(stack.root, commands.ToggleAutomation("a", "clock", on=False, selector="s"))
    assert defect.value.code is Code.INTERNAL
    assert "KeyError" in (defect.value.why or "")
    assert "KeyError" in (stack.layout.logs_dir / "supervisor.log").read_text()
    assert stack.status() is not None


def test_carrying_out_imports_nothing_heavy() -> None:
    """All that `executing` imports when it is first needed."""
    heavy = ("dagster", "pyiceberg", "pyarrow", "duckdb", "dbt", "sqlalchemy")
    modules = (
        "floe_dev.supervisor.executing",
        "floe_dev.orchestrators.dagster.instigators",
        "floe_dev.orchestrators.dagster.monitor",
        "floe_dev.orchestrators.dagster.running",
        "floe_dev.catalogs.client",
        "floe_dev.config.connection",
    )
    program = f"import sys, {', '.join(modules)}; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
