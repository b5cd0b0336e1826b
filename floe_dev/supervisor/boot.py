"""The first milliseconds of a supervisor: lock, leftovers, fork server, guardian. Nothing heavy is imported here.

Everything that follows takes place while the fork server is already importing Dagster, which is what a start waits for.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from floe_dev.config.machine import machine_error
from floe_dev.drivers import forkserver
from floe_dev.drivers.logs import begin_logs
from floe_dev.drivers.markers import MARKER, kill_marked
from floe_dev.model.layout import Layout
from floe_dev.supervisor.lock import SupervisorLock
from floe_dev.supervisor.paths import new_instance, project_marker, socket_path

#: Told to whoever started this process where another supervisor of the project lives.
BUSY = b'{"kind": "busy", "time": 0}\n'
#: The supervisor's own log, which its starter has opened already.
LOG_NAME = "supervisor.log"


@dataclass(frozen=True)
class Boot:
    """What a supervisor has once it is the only one of its project."""

    layout: Layout
    lock: SupervisorLock
    instance: str
    #: The connection to whoever started this process; None where it was started by hand.
    starter: socket.socket | None
    guardian: subprocess.Popen[bytes]
    fork_server: tuple[subprocess.Popen[bytes], socket.socket] | None
    fork_socket: Path
    #: What a fork server imports.
    preload: Sequence[str]
    #: How many processes of a killed stack were found and ended.
    left_behind: int


def boot(layout: Layout, preload: Sequence[str]) -> Boot | None:
    """Become the project's supervisor; None where that cannot be: whoever started this process has been told."""
    # The terminal this was started from may close, and its Ctrl-C is for whoever waits there. A handler, since what is
    # ignored stays ignored in every child, and Dagster ends dbt with SIGINT.
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _let_pass)
    starter = _starter()
    try:
        return _boot(layout, preload, starter)
    except OSError as error:
        refused = machine_error(error, Path(error.filename or layout.state_dir))
        if starter is None:
            raise refused from error
        message = {"kind": "error", "time": time.time(), "data": refused.to_json()}
        starter.sendall(json.dumps(message).encode() + b"\n")
        return None


def _let_pass(_number: int, _frame: object) -> None:
    """Do nothing."""


def _boot(layout: Layout, preload: Sequence[str], starter: socket.socket | None) -> Boot | None:
    lock = SupervisorLock.acquire(layout)
    if lock is None:
        if starter is not None:
            starter.sendall(BUSY)
        return None
    left_behind = kill_marked(project_marker(layout.root))
    begin_logs(layout.logs_dir, keep=frozenset({LOG_NAME}))
    instance = new_instance(layout.root)
    fork_socket = socket_path(layout.root, "fork")
    fork_server = launch_fork_server(layout, instance, fork_socket, preload) if forkserver.supported() else None
    return Boot(
        layout=layout,
        lock=lock,
        instance=instance,
        starter=starter,
        guardian=start_guardian(instance),
        fork_server=fork_server,
        fork_socket=fork_socket,
        preload=preload,
        left_behind=len(left_behind),
    )


def launch_fork_server(
    layout: Layout, instance: str, path: Path, preload: Sequence[str]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process that imports Dagster once for all; raises OSError."""
    return forkserver.launch(
        path,
        preload,
        environment={**os.environ, MARKER: instance},
        log=layout.logs_dir / "fork-server.log",
        directory=layout.root,
    )


def start_guardian(instance: str) -> subprocess.Popen[bytes]:
    """The process that ends what this supervisor leaves, should it be killed; see drivers/guardian.py.

    Without `site` it starts in a third of the time. It carries no marker, so that ending what is marked spares it.
    """
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen(
        [sys.executable, "-S", "-m", "floe_dev.drivers.guardian", instance],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _starter() -> socket.socket | None:
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return None
    starter = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return starter
