"""What goes wrong is told at once, with its reason, and leaves nothing running."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import RestartService
from floe_dev.model.status import ServiceState, ServiceStatus
from floe_dev.supervisor import client
from floe_dev.supervisor.lock import is_held
from tests.drivers.helpers import alive, eventually, free_port
from tests.supervisor.helpers import TinyStack, fetch, service, start_elsewhere


def _failure(stack: TinyStack, **options: object) -> FloeError:
    with pytest.raises(FloeError) as failed:
        stack.up(**options)
    stack.assert_gone(seconds=0.5)  # before the error is told
    return failed.value


def _service(stack: TinyStack, name: str) -> ServiceStatus:
    status = stack.status()
    assert status is not None
    return next(s for s in status.services if s.name == name)


def _eventually(stack: TinyStack, name: str, state: ServiceState, restarts: int | None = None) -> None:
    def reached() -> bool:
        seen = _service(stack, name)
        return seen.state is state and restarts in (None, seen.restarts)

    eventually(reached, f"{name} was never {state} again")


def test_a_service_that_ends_fails_the_start_at_once_with_its_last_words(stack: TinyStack) -> None:
    broken = "import sys, time; print('starting'); time.sleep(0.3); sys.exit('disk on fire')"
    stack.declare(service("good"), service("bad", command=["{python}", "-c", broken]))
    started = time.monotonic()
    error = _failure(stack, timeout_seconds=60)
    assert time.monotonic() - started < 10
    assert error.code is Code.SERVICE_FAILED
    assert "`bad` ended with exit code 1" in error.what
    assert error.detail == ("starting", "disk on fire")
    assert error.where is not None
    assert str(error.where.file).endswith("bad.log")


def test_a_killed_service_is_told_by_its_signal(stack: TinyStack) -> None:
    stack.declare(service("bad", command=["{python}", "-c", "import os; os.kill(os.getpid(), 9)"]))
    assert "was killed by SIGKILL" in _failure(stack).what


def test_a_service_without_a_probe_that_ends_at_once_was_never_ready(stack: TinyStack) -> None:
    """All there is to see of it is that it lives, so that is looked at for a second."""
    stack.declare(
        service("lives", command=["{python}", "-c", "import time; time.sleep(60)"], probe=None),
        service("bad", command=["{python}", "-c", "import sys; sys.exit('no such flag')"], probe=None),
    )
    error = _failure(stack)
    assert error.code is Code.SERVICE_FAILED
    assert "`bad` ended with exit code 1" in error.what
    assert error.detail == ("no such flag",)
    stack.declare(service("lives", command=["{python}", "-c", "import time; time.sleep(60)"], probe=None))
    stack.up()
    assert _service(stack, "lives").state is ServiceState.READY


def test_a_program_that_is_not_there(stack: TinyStack) -> None:
    stack.declare(service("bad", command=["no-such-program"]))
    error = _failure(stack)
    assert error.code is Code.SERVICE_FAILED
    assert "no-such-program" in error.what


def test_the_deadline_is_shared_and_tells_who_waits_for_what(stack: TinyStack) -> None:
    stack.declare(
        service("slow", "--delay", "60"),
        service("behind", depends_on=["slow"]),
        service("stubborn", "--stubborn"),
        steps=[{"name": "step", "seconds": 60}],
    )
    started = time.monotonic()
    error = _failure(stack, timeout_seconds=1.5)
    assert 1.5 < time.monotonic() - started < 30, "it waits for what takes a minute"
    assert error.code is Code.START_TIMEOUT
    detail = "\n".join(error.detail)
    assert "slow: 127.0.0.1" in detail
    assert "connection refused" in detail
    assert "behind: waits for slow" in detail
    assert "step" in detail
    assert "stubborn" not in detail


def test_a_step_that_fails_ends_the_start(stack: TinyStack) -> None:
    stack.declare(service("a"), steps=[{"name": "provision", "depends_on": ["a"], "fails": "no such realm"}])
    error = _failure(stack)
    assert (error.code, error.what) == (Code.STEP_FAILED, "no such realm")


def test_a_defect_is_an_error_with_the_log_to_look_at(stack: TinyStack) -> None:
    stack.declare(service("a"), steps=[{"name": "s", "breaks": "unforeseen"}])
    error = _failure(stack)
    assert error.code is Code.INTERNAL
    assert "unforeseen" in (error.why or "")
    assert "Traceback" in (stack.layout.logs_dir / "supervisor.log").read_text()


def test_a_wrong_configuration_reaches_the_user_unchanged(stack: TinyStack) -> None:
    stack.declare(refused="port is not a number")
    error = _failure(stack)
    assert (error.code, error.what) == (Code.INVALID_VALUE, "port is not a number")


@pytest.mark.parametrize(("depends_on", "code"), [(["nobody"], Code.UNKNOWN_REFERENCE), (["b"], Code.INVALID_VALUE)])
def test_a_graph_that_cannot_be_walked(stack: TinyStack, depends_on: list[str], code: Code) -> None:
    stack.declare(service("a", depends_on=depends_on), service("b", depends_on=["a"]))
    assert _failure(stack).code is code


def test_somebody_elses_answer_is_not_taken_for_ours(stack: TinyStack, tmp_path: Path) -> None:
    """process-compose#157: another redis answered, so ours was ready."""
    port, begun = free_port(), tmp_path / "begun"
    # Bound after the port was chosen, so that it looks free at that moment.
    sleeper = ["{python}", "-c", f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"]
    foreign = (
        "import pathlib, time; from tests.supervisor import server\n"
        f"while not pathlib.Path({str(begun)!r}).exists(): time.sleep(0.01)\n"
        "server.main()"
    )
    for probe in ({"path": "/", "instance_header": "X-Floe-Instance"}, {"path": "/"}, {"path": None}):
        begun.unlink(missing_ok=True)
        other = subprocess.Popen([sys.executable, "-c", foreign, "--port", str(port), "--instance", "another"])
        try:
            stack.declare(service("a", command=sleeper, port=port, probe=probe))
            with pytest.raises(FloeError) as failed:
                stack.up(timeout_seconds=4)
            assert failed.value.code is Code.START_TIMEOUT
            assert "not this stack" in failed.value.detail[0]
            assert alive(other.pid)
        finally:
            other.kill()
            other.wait()


def test_what_crashes_later_is_started_again_on_its_port(stack: TinyStack) -> None:
    quick = {"delay_seconds": 0.05, "max_delay_seconds": 0.2, "max_restarts": 2, "window_seconds": 60}
    stack.declare(
        service("a", restart=quick),
        service("b", restart=quick, fork_after="http.server"),
        service("calm"),
    )
    stack.up()
    calm = stack.pid("calm")
    for name in ("a", "b"):
        port = stack.port(name)
        for restarts in (1, 2):
            os.kill(stack.pid(name), signal.SIGKILL)
            _eventually(stack, name, ServiceState.READY, restarts)
            assert int(fetch(port)) == stack.pid(name)
        os.kill(stack.pid(name), signal.SIGKILL)
        _eventually(stack, name, ServiceState.FAILED)
        assert "3 times within 60 s" in (_service(stack, name).reason or "")
    status = stack.status()
    assert status is not None
    assert not status.ready
    assert stack.pid("calm") == calm
    client.send(stack.root, RestartService("a"))
    assert _service(stack, "a").state is ServiceState.READY


def test_the_end_of_the_fork_server_is_mended(stack: TinyStack) -> None:
    stack.declare(service("a", fork_after="http.server"), service("b", fork_after="http.server"))
    stack.up()
    before = {stack.pid("a"), stack.pid("b")}
    parent = int(Path(f"/proc/{stack.pid('a')}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    eventually(
        lambda: all(_service(stack, n).state is ServiceState.READY and _service(stack, n).restarts == 1 for n in "ab"),
        "the services did not come back",
    )
    assert not before & {stack.pid("a"), stack.pid("b")}
    assert not any(alive(pid) for pid in before)
    assert int(fetch(stack.port("a"))) == stack.pid("a")


def test_stopping_takes_three_seconds_at_most_even_from_the_stubborn(stack: TinyStack) -> None:
    stack.declare(service("a", "--stubborn", "--family"), service("b", "--stubborn", depends_on=["a"]))
    stack.up()
    started = time.monotonic()
    stack.down()
    assert time.monotonic() - started < 6, "one after another"
    stack.assert_gone(seconds=0.1)


def test_two_at_once_make_one_stack(stack: TinyStack) -> None:
    stack.declare(service("a", "--delay", "0.7"))
    both = [start_elsewhere(stack.root) for _ in range(3)]
    said = [process.communicate(timeout=30)[0].decode().splitlines() for process in both]
    assert [lines[-1].strip() for lines in said] == ["ready"] * 3
    assert len(stack.processes()) >= 1
    assert int(fetch(stack.port("a"))) == stack.pid("a")


def test_up_right_after_down_waits_for_the_end(stack: TinyStack) -> None:
    stack.declare(service("a", "--stubborn"))
    stack.up()
    stopping = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from floe_dev.supervisor import client; list(client.down(pathlib.Path(sys.argv[1])))",
            str(stack.root),
        ]
    )
    eventually(lambda: _state(stack) in ("stopping", None), "not stopping")
    assert stack.up()[-1].kind == "ready"
    stopping.wait(20)
    assert int(fetch(stack.port("a"))) == stack.pid("a")


def _state(stack: TinyStack) -> str | None:
    status = stack.status()
    return status.services[0].state if status is not None and status.services else None


def test_a_read_only_project(stack: TinyStack) -> None:
    stack.declare(service("a"))
    target = stack.root / ".floe"
    target.write_text("a file where the state directory goes\n")
    with pytest.raises(FloeError) as refused:
        stack.up()
    assert refused.value.code is Code.IN_THE_WAY
    assert str(target) in refused.value.what
    assert refused.value.fix == f"mv '{target}' '{target}.aside'"


def test_a_folder_where_the_state_goes_is_named_and_not_the_file_beside_it(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.layout.state_file.mkdir(parents=True)
    with pytest.raises(FloeError) as refused:
        stack.up()
    assert refused.value.code is Code.IN_THE_WAY
    assert refused.value.what == f"a folder is where floe has to write {stack.layout.state_file}"
    assert [each.name for each in stack.layout.state_dir.iterdir() if each.name.startswith(".state")] == []
    stack.layout.state_file.rmdir()
    stack.assert_gone()
    assert stack.up()[-1].kind == "ready"


def test_the_state_of_a_newer_version_is_left_alone(stack: TinyStack) -> None:
    """It was replaced by an empty one of this version, without a word."""
    stack.declare(service("a"))
    stack.up()
    stack.down()
    newer = '{"schemaVersion": 2, "stack": "orbit"}'
    stack.layout.state_file.write_text(newer)
    with pytest.raises(FloeError) as refused:
        stack.up()
    assert refused.value.code is Code.STATE_VERSION
    assert "floe reset" in (refused.value.fix or "")
    assert stack.layout.state_file.read_text() == newer
    stack.layout.state_file.unlink()
    stack.assert_gone()


def test_a_damaged_state_costs_only_what_it_knew(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    stack.down()
    stack.layout.state_file.write_text('{"schemaVersion": 1, "ports": "what')
    stack.layout.lock_file.write_bytes(b"\0\0\0")
    events = stack.up()
    assert events[-1].kind == "ready"
    assert any("is made anew" in str(event.data.get("text")) for event in events)


def test_the_project_deleted_under_a_running_stack(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    pid, supervisor = stack.pid("a"), stack.supervisor_pid()
    shutil.rmtree(stack.root)
    eventually(lambda: not alive(supervisor), "the supervisor went on without its project")
    assert not alive(pid)
    assert not stack.root.exists()


def test_a_copied_project_is_another_one(stack: TinyStack) -> None:
    stack.declare(service("a"))
    stack.up()
    pid = stack.pid("a")
    copy = TinyStack(stack.root.with_name("copy"))
    shutil.copytree(stack.root, copy.root)
    try:
        assert copy.status() is None
        assert copy.down() == []
        assert alive(pid)
        copy.up()  # its port is the original's: replaced
        assert copy.port("a") != stack.port("a")
        copy.down()
        copy.assert_gone()
        assert stack.pid("a") == pid
        assert alive(pid)
    finally:
        copy.clean()


def test_nonsense_on_the_socket_harms_nobody(stack: TinyStack) -> None:
    import json
    import socket

    from floe_dev.supervisor.lock import read_holder

    stack.declare(service("a"))
    stack.up()
    holder = read_holder(stack.layout)
    assert holder is not None
    for nonsense in (b"\n", b"null\n", b"[]\n", b'{"op": 7}\n', b'{"op": "unheard-of"}\n', b"\xff\xfe\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(holder.socket)
            connection.sendall(nonsense)
            with connection.makefile("rb") as lines:
                assert "error" in json.loads(lines.readline())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(holder.socket)
        with contextlib.suppress(BrokenPipeError):  # a line without end: it hangs up
            connection.sendall(b"x" * (3 << 20))
    assert stack.status() is not None
    assert is_held(stack.layout)


def test_stacks_that_start_together_never_choose_the_same_port(stack: TinyStack) -> None:
    port = free_port()
    stacks = [TinyStack(stack.root.with_name(f"stack {number}")) for number in range(3)]
    for each in stacks:
        each.root.mkdir()
        each.declare(service("a", "--delay", "1", port=port))
    try:
        starts = [start_elsewhere(each.root) for each in stacks]
        said = [start.communicate(timeout=60)[0].decode() for start in starts]
        assert [text.splitlines()[-1].strip() for text in said] == ["ready"] * 3
        assert len({each.port("a") for each in stacks}) == 3
        for each in stacks:
            assert int(fetch(each.port("a"))) == each.pid("a")
    finally:
        for each in stacks:
            each.down()
            each.clean()
