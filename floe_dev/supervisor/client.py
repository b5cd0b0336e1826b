"""Talk to a project's supervisor: start it, ask it, stop it. Plain sockets and threads: no event loop, few imports."""

from __future__ import annotations

import contextlib
import fcntl
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

from floe_dev.drivers.markers import kill_marked, marked
from floe_dev.drivers.process import open_log, tail
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout
from floe_dev.model.status import Event, StackStatus
from floe_dev.supervisor.registry import registered, unregister
from floe_dev.supervisor.state import load_state, prepare_state_dir, save_state, socket_path

#: Seconds a fresh supervisor has to open its socket.
BOOT_SECONDS = 20.0
#: Seconds a supervisor has to end after `down` before it is killed.
DOWN_SECONDS = 15.0


@dataclass(frozen=True)
class StartOptions:
    """What `up` asks of the supervisor."""

    stack: str | None = None
    timeout_seconds: float = 120.0
    #: Preferred ports by service name.
    ports: tuple[tuple[str, int], ...] = ()


def start(root: Path, options: StartOptions) -> Iterator[Event]:
    """Start the project's supervisor, or attach to it; yields its events until the stack is ready.

    The last event is `ready`. Raises the FloeError that ended the start; nothing of it is running then.
    """
    layout = Layout(root)
    connection = _connect(root)
    if connection is None:
        _prepare(layout)
        with _start_lock(layout):
            connection = _connect(root)
            if connection is None:
                connection = _launch(layout, options)
    elif options.stack is not None and (running := status(root)) is not None and running.stack != options.stack:
        connection.close()
        raise FloeError(
            Code.ANOTHER_STACK_RUNS,
            f"the project runs the stack `{running.stack}`, not `{options.stack}`",
            why="one stack runs per project",
            fix=f"floe down && floe up --stack {options.stack}",
        )
    with connection:
        for event in _stream(connection):
            if event.kind == "error":
                raise FloeError.from_json(event.data)
            yield event
            if event.kind == "ready":
                return
    raise FloeError(
        Code.SUPERVISOR_FAILED,
        "the supervisor ended while the stack was starting",
        why="it was killed, or stopped by `floe down` elsewhere",
        detail=tail(layout.logs_dir / "supervisor.log"),
        fix="floe up",
    )


def events(root: Path) -> Iterator[Event]:
    """What is known now, then every change, until the supervisor ends; raises FloeError 2001 if none runs."""
    connection = _connect(root)
    if connection is None:
        raise not_running(root)
    with connection:
        yield from _stream(connection)


def status(root: Path) -> StackStatus | None:
    """The stack as last seen; None where no supervisor runs."""
    connection = _connect(root)
    if connection is None:
        return None
    with connection:
        try:
            return StackStatus.model_validate(_request(connection, {"op": "status"}))
        except (OSError, EOFError):
            return None


def restart(root: Path, service: str) -> None:
    """Restart one service, or `all`; returns when it is ready. Raises FloeError 2001, 2103, 2101 or 2102."""
    _operate(root, {"op": "restart", "service": service})


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
    layout = Layout(root)
    connection = _connect(root)
    if connection is not None:
        with connection:
            connection.settimeout(DOWN_SECONDS)
            connection.sendall(b'{"op": "down"}\n')
            with contextlib.suppress(OSError, EOFError, ValueError):
                for line in connection.makefile("rb"):
                    message = json.loads(line)
                    if "kind" in message:
                        yield Event.model_validate(message)
    _sweep(layout)


def running() -> list[tuple[Path, StackStatus]]:
    """Every running stack of this user on this machine."""
    found = []
    for root in registered():
        seen = status(root)
        if seen is not None:
            found.append((root, seen))
        elif load_state(Layout(root)) is None:
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


def _operate(root: Path, request: dict[str, Any]) -> Any:
    connection = _connect(root)
    if connection is None:
        raise not_running(root)
    with connection:
        return _request(connection, request)


def _connect(root: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(socket_path(root)))
    except OSError:
        connection.close()
        return None
    return connection


def _request(connection: socket.socket, request: dict[str, Any]) -> Any:
    connection.sendall(json.dumps(request).encode() + b"\n")
    line = connection.makefile("rb").readline()
    if not line:
        raise EOFError
    answer = json.loads(line)
    if "error" in answer:
        raise FloeError.from_json(answer["error"])
    return answer["ok"]


def _stream(connection: socket.socket) -> Iterator[Event]:
    connection.sendall(b'{"op": "events"}\n')
    for line in connection.makefile("rb"):
        yield Event.model_validate_json(line)


def _prepare(layout: Layout) -> None:
    try:
        prepare_state_dir(layout)
    except OSError as error:
        raise machine_error(error, layout.state_dir) from error


def machine_error(error: OSError, path: Path) -> FloeError:
    """The FloeError for what the file system refused."""
    import errno

    code = {
        errno.ENOSPC: Code.DISK_FULL,
        errno.EDQUOT: Code.DISK_FULL,
        errno.EROFS: Code.READ_ONLY,
    }.get(error.errno or 0, Code.NO_PERMISSION)
    fixes = {
        Code.DISK_FULL: "free some space (df -h shows it), then run the command again",
        Code.READ_ONLY: "copy the project to a writable file system",
        Code.NO_PERMISSION: f"chown or chmod {path}, or copy the project to a folder of yours",
    }
    return FloeError(
        code,
        f"cannot write to {path}",
        why=error.strerror or str(error),
        fix=fixes[code],
        where=Where(path),
    )


@contextlib.contextmanager
def _start_lock(layout: Layout) -> Iterator[None]:
    """Of two `up` at once, one starts the supervisor while the other waits."""
    try:
        descriptor = os.open(layout.state_dir / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise machine_error(error, layout.state_dir) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _launch(layout: Layout, options: StartOptions) -> socket.socket:
    log = layout.logs_dir / "supervisor.log"
    try:
        output = open_log(log)
    except OSError as error:
        raise machine_error(error, log) from error
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "floe_dev.supervisor", str(layout.root), json.dumps(asdict(options))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=layout.root,
            start_new_session=True,
        )
    finally:
        os.close(output)
    give_up = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < give_up:
        connection = _connect(layout.root)
        if connection is not None:
            return connection
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise FloeError(
        Code.SUPERVISOR_FAILED,
        "the supervisor did not start",
        why=f"it ended with exit code {process.poll()}" if process.poll() is not None else "it opened no socket",
        detail=tail(log),
        fix=f"look into {log}",
        where=Where(log),
    )


def _sweep(layout: Layout) -> None:
    """End what a supervisor that is gone, or does not end, left behind; touches only what carries the marker."""
    state = load_state(layout)
    socket_file = socket_path(layout.root)
    if state is None:
        with contextlib.suppress(OSError):
            socket_file.unlink()
        return
    if state.supervisor_pid is not None:
        _end_supervisor(layout, state.supervisor_pid)
    kill_marked(state.instance, grace_seconds=1.0)
    left = marked(state.instance)
    if left:
        raise FloeError(
            Code.LEFT_BEHIND,
            f"{len(left)} processes of the stack could not be ended",
            why=f"pids {', '.join(map(str, left))} do not react to SIGKILL",
            fix=f"kill -9 {' '.join(map(str, left))}",
        )
    for suffix in ("sock", "fork"):
        with contextlib.suppress(OSError):
            socket_path(layout.root, suffix).unlink()
    if state.supervisor_pid is not None:
        with contextlib.suppress(OSError):
            save_state(layout, state.model_copy(update={"supervisor_pid": None}))
    unregister(layout.root)


def _end_supervisor(layout: Layout, pid: int) -> None:
    """Kill the supervisor if it still holds the project's lock; a reused pid never does."""
    give_up = time.monotonic() + 2.0
    while lock_is_held(layout):
        if time.monotonic() > give_up:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            give_up += 60.0
        time.sleep(0.02)


def lock_is_held(layout: Layout) -> bool:
    """Whether a supervisor of this project lives: it holds the lock file for its whole life."""
    try:
        descriptor = os.open(layout.lock_file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
