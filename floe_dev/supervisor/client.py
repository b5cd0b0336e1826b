"""Talk to a project's supervisor: start it, ask it, stop it. Plain sockets and threads: no event loop, few imports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from floe_dev.config.machine import machine_error
from floe_dev.drivers.logs import open_log, tail
from floe_dev.drivers.markers import MARKER, kill_marked, marked
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.commands import StackCommand, encode
from floe_dev.model.layout import Layout
from floe_dev.model.status import Event, StackStatus
from floe_dev.supervisor.lock import is_held, read_holder
from floe_dev.supervisor.paths import CONTAINERS_MARK, project_key, project_marker
from floe_dev.supervisor.quick import quick_status
from floe_dev.supervisor.registry import registered, unregister
from floe_dev.supervisor.state import load_state, prepare_state_dir

#: The module that is started as the supervisor.
SUPERVISOR = "floe_dev.supervisor"
#: Seconds to wait for another start or stop of the project that is under way.
BOOT_SECONDS = 20.0
#: Seconds a supervisor has to end after `down` before it is killed.
DOWN_SECONDS = 15.0

#: Supervisors that this process started and that outlive what started them.
_detached: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class StartOptions:
    """What `up` asks of the supervisor."""

    stack: str | None = None
    timeout_seconds: float = 120.0
    #: Preferred ports by service name.
    ports: tuple[tuple[str, int], ...] = ()


def start(root: Path, options: StartOptions) -> Iterator[Event]:
    """Start the project's supervisor, or attach to it; yields its events until the stack is ready.

    The last event is `ready`. Raises the FloeError that ended the start; nothing of it is running then. Whoever leaves
    this iterator before it is ready (Ctrl-C, a kill) ends what it started.
    """
    layout = Layout(root.resolve())
    _prepare(layout)
    give_up = time.monotonic() + BOOT_SECONDS
    while True:
        connection = _connect(layout.root)
        if connection is not None:
            starting = _attach(connection, layout.root, options.stack)
        else:
            starting = _launch(layout, options)
        for event in starting:
            if event.kind == "busy":
                break  # another start was faster, or a stop is not over: attach to the one, or follow the other
            if event.kind == "error":
                raise FloeError.from_json(event.data)
            yield event
            if event.kind == "ready":
                return
            if event.kind == "stopped":
                raise FloeError(
                    Code.NOT_RUNNING,
                    "the stack was stopped while it was starting",
                    why="`floe down` was run elsewhere, or the supervisor got a SIGTERM",
                    fix="floe up",
                )
        else:
            raise _ended_early(layout)
        if time.monotonic() > give_up:
            raise _ended_early(layout)
        time.sleep(0.05)


def events(root: Path) -> Iterator[Event]:
    """What is known now, then every change, until the supervisor ends; raises FloeError 2001 if none runs."""
    connection = _connect(root)
    if connection is None:
        raise not_running(root)
    with connection, contextlib.suppress(ConnectionError):
        yield from _stream(connection)


def status(root: Path) -> StackStatus | None:
    """The stack as last seen; None where no supervisor runs, FloeError 2002 where one does not answer."""
    found = quick_status(root)
    return None if found is None else StackStatus.model_validate(found)


def send(root: Path, command: StackCommand) -> str:
    """Have the supervisor carry a command out; one line on what was done.

    Raises:
        FloeError: FLOE2001 if none runs or it ends meanwhile, 2002 if it is of another version; what became of the
            command (2101 to 2103 of a restart, 3xxx of the catalog, 5xxx of Dagster).
    """
    done: str = _operate(root, {"op": "command", **encode(command)})["done"]
    return done


def finish_first_run(root: Path) -> None:
    """Remember that every asset was materialized once."""
    _operate(root, {"op": "first-run-done"})


def first_run_done(root: Path) -> bool:
    """Whether every asset was materialized once since the project's state was made."""
    state = load_state(Layout(root))
    return state is not None and state.first_run_done


def down(root: Path) -> Iterator[Event]:
    """Stop the stack and whatever a killed supervisor left; yields the events of stopping; nothing if it is down.

    Raises FloeError 2106 where something could not be ended.
    """
    layout = Layout(root.resolve())
    connection = _connect(layout.root) if _answers(layout.root) else None
    if connection is not None:
        with connection:
            connection.settimeout(DOWN_SECONDS)
            with contextlib.suppress(OSError, ValueError):
                connection.sendall(b'{"op": "down"}\n')
                with connection.makefile("rb") as lines:
                    for line in lines:
                        yield Event.model_validate_json(line)
    _end_supervisor(layout)
    sweep(layout)
    _forget_ended()


def running() -> list[tuple[Path, StackStatus]]:
    """Every running stack of this user on this machine."""
    found = []
    for root in registered():
        try:
            seen = status(root)
        except FloeError:
            continue  # it hangs: there is nothing to show of it
        if seen is not None:
            found.append((root, seen))
        elif not Layout(root).state_file.exists():
            unregister(root)
    return found


def not_running(root: Path) -> FloeError:
    """The error of a command that needs a running stack."""
    return FloeError(
        Code.NOT_RUNNING,
        "the stack is not running",
        why=f"no supervisor answers for {root}",
        fix="floe up",
    )


def _answers(root: Path) -> bool:
    """Whether it is worth asking the supervisor to end: one that hangs is killed without."""
    try:
        quick_status(root)
    except FloeError:
        return False
    return True


def _operate(root: Path, request: dict[str, Any]) -> Any:
    connection = _connect(root)
    if connection is None:
        raise not_running(root)
    with connection:
        try:
            return _request(connection, request)
        except (ConnectionError, EOFError) as ended:
            raise FloeError(
                Code.NOT_RUNNING,
                "the supervisor ended before it answered",
                why="how much of what it was asked for was done is not known",
                fix="floe up",
            ) from ended


def _connect(root: Path) -> socket.socket | None:
    holder = read_holder(Layout(root.resolve()))
    if holder is None:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(holder.socket)
    except OSError:
        connection.close()
        return None
    return connection


def _request(connection: socket.socket, request: dict[str, Any]) -> Any:
    connection.sendall(json.dumps(request).encode() + b"\n")
    with connection.makefile("rb") as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer = json.loads(line)
    if "error" in answer:
        raise FloeError.from_json(answer["error"])
    return answer["ok"]


def _stream(connection: socket.socket) -> Iterator[Event]:
    connection.sendall(b'{"op": "events"}\n')
    with connection.makefile("rb") as lines:
        for line in lines:
            yield Event.model_validate_json(line)


def _prepare(layout: Layout) -> None:
    try:
        prepare_state_dir(layout)
    except OSError as error:
        raise machine_error(error, layout.state_dir) from error


def _check_stack(root: Path, wanted: str | None) -> None:
    running_one = quick_status(root)  # also where no stack is asked for: who attaches to one that hangs waits for good
    running_stack = running_one["stack"] if running_one is not None else ""
    if wanted is not None and running_stack not in ("", wanted):
        raise FloeError(
            Code.ANOTHER_STACK_RUNS,
            f"the project runs the stack `{running_stack}`, not `{wanted}`",
            why="one stack runs per project",
            fix=f"floe down && floe up --stack {wanted}",
        )


def _attach(connection: socket.socket, root: Path, wanted: str | None) -> Iterator[Event]:
    with connection:
        _check_stack(root, wanted)
        try:
            yield from _stream(connection)
        except ConnectionError:
            # It ended with our request unread, as one that is just stopping does.
            yield Event(kind="busy", time=time.time())


def _launch(layout: Layout, options: StartOptions) -> Iterator[Event]:
    """Start a supervisor that ends with this iterator unless it is ready by then; yields its events."""
    log = layout.logs_dir / "supervisor.log"
    ours, theirs = socket.socketpair()
    try:
        output = open_log(log)
    except OSError as error:
        raise machine_error(error, log) from error
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", SUPERVISOR, str(layout.root), json.dumps(asdict(options))],
            stdin=theirs.fileno(),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=layout.root,
            env={name: value for name, value in os.environ.items() if name != MARKER},
            start_new_session=True,
        )
    finally:
        os.close(output)
        theirs.close()
    _detached.append(process)
    over = False
    with ours, ours.makefile("rb") as lines:
        try:
            for line in lines:
                event = Event.model_validate_json(line)
                over = event.kind in ("ready", "error", "busy")
                yield event
            over = True
        finally:
            if not over:
                # Left early: say so, and return when it has stopped everything.
                ours.shutdown(socket.SHUT_WR)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(DOWN_SECONDS)
            _forget_ended()


def _forget_ended() -> None:
    """Take note of supervisors started here that have ended since; a program may start and stop many."""
    _detached[:] = [process for process in _detached if process.poll() is None]


def _ended_early(layout: Layout) -> FloeError:
    log = layout.logs_dir / "supervisor.log"
    return FloeError(
        Code.SUPERVISOR_FAILED,
        "the supervisor ended while the stack was starting",
        why="it was killed, or stopped by `floe down` elsewhere",
        detail=tail(log),
        fix="floe up",
        where=Where(log),
    )


def sweep(layout: Layout) -> None:
    """End what a supervisor that is gone left behind; touches only what carries the project's marker."""
    marker = project_marker(layout.root)
    kill_marked(marker, grace_seconds=1.0)
    sweep_containers(layout)
    left = marked(marker)
    if left:
        raise FloeError(
            Code.LEFT_BEHIND,
            f"{len(left)} processes of the stack could not be ended",
            why=f"pids {', '.join(map(str, left))} do not react to SIGKILL",
            fix=f"kill -9 {' '.join(map(str, left))}",
        )
    holder = read_holder(layout)
    for path in (holder.socket if holder else None, holder.socket.removesuffix("sock") + "fork" if holder else None):
        if path is not None:
            with contextlib.suppress(OSError):
                Path(path).unlink()
    unregister(layout.root)


def sweep_containers(layout: Layout, *, volumes: bool = False) -> None:
    """Remove the project's containers, with `volumes` their data too.

    Where the engine is off no container runs; volumes are still there then, and FloeError 2301 says so.
    """
    from floe_dev.drivers import docker

    if not (layout.state_dir / CONTAINERS_MARK).exists():
        return
    try:
        docker.sweep(project_key(layout.root), volumes=volumes)
    except FloeError as error:
        if volumes or error.code is not Code.NO_ENGINE:
            raise


def _end_supervisor(layout: Layout) -> None:
    """Wait for the supervisor's end; kill it where it does not react. A reused pid never holds the project's lock."""
    give_up = time.monotonic() + 2.0
    killed = False
    while is_held(layout):
        holder = read_holder(layout)
        if time.monotonic() > give_up:
            if killed or holder is None:
                raise FloeError(
                    Code.LEFT_BEHIND,
                    "the supervisor does not end",
                    why=f"pid {holder.pid} holds {layout.lock_file}" if holder else f"{layout.lock_file} stays locked",
                    fix=f"kill -9 {holder.pid}" if holder else "wait a moment, then run the command again",
                )
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(holder.pid, signal.SIGKILL)
            killed = True
            give_up = time.monotonic() + 5.0
        time.sleep(0.01)
