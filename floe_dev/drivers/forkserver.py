"""A process that imports what several services share, once, and forks them from it (Linux).

Dagster's code server, web server, daemon and run workers import the same two seconds of modules each; forked from
one parent they share that time and that memory. Modules are loaded in the order given, and a request is served as
soon as the module it waits for is there, so that the web server need not wait for what only the code server uses.

Protocol: JSON lines on a Unix socket inherited as standard input (the supervisor's end), and on a listening socket at
PATH for others of the same user (the run launcher). `{"op": "fork", "id", "module", "args", "env", "cwd", "log",
"after"}` is answered `{"id", "pid"}` or `{"id", "error"}`; when a child ends, whoever asked for it is told
`{"exit": pid, "status": code}` (negative: the signal). `{"op": "load", "modules"}` imports more, in idle moments.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from floe_dev.drivers.bound import die_with
from floe_dev.drivers.logs import open_log

Request = dict[str, Any]


def supported() -> bool:
    """Whether services are forked: on Linux, unless FLOE_FORK=0 (macOS's frameworks do not survive a fork)."""
    return sys.platform == "linux" and os.environ.get("FLOE_FORK") != "0"


def launch(
    path: Path, preload: Sequence[str], *, environment: Mapping[str, str], log: Path, directory: Path
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a fork server that listens on `path` too; the process, and the end of its control socket. Raises OSError.

    It needs no event loop, so that the imports can begin before their user has imported anything itself.
    """
    ours, theirs = socket.socketpair()
    output = open_log(log)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "floe_dev.drivers.forkserver", str(path), *preload],
            env=dict(environment),
            cwd=directory,
            stdin=theirs.fileno(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)
        theirs.close()
    return process, ours


class ForkServer:
    """Serves fork requests between and after the imports."""

    def __init__(self, control: socket.socket, listener: socket.socket, preload: list[str]) -> None:
        self._control = control
        self._listener = listener
        self._pending_modules = preload
        self._waiting: list[tuple[socket.socket, Request]] = []
        self._buffers: dict[socket.socket, bytes] = {}
        self._parents: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> Request | None:
        """Import, fork and reap until the supervisor's end of the control socket closes.

        Returns None then; in each child it returns the request that the child is to carry out.
        """
        # The collector would walk the growing heap of modules again and again; frozen, it stays shared after a fork.
        gc.disable()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ, "client")
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        while True:
            # Between two imports only look whether somebody asks; afterwards sleep until somebody does.
            busy = self._pending_modules or self._waiting
            for key, _ in self._selector.select(timeout=0 if busy else None):
                if key.data == "listener":
                    client, _ = self._listener.accept()
                    self._selector.register(client, selectors.EVENT_READ, "client")
                elif key.data == "wake":
                    os.read(self._wake_read, 4096)
                    self._reap()
                elif not self._receive(key.fileobj):  # type: ignore[arg-type]
                    if key.fileobj is self._control:
                        return None
                    self._forget(key.fileobj)  # type: ignore[arg-type]
            if self._waiting and (request := self._serve()) is not None:
                return request
            if self._pending_modules:
                self._load(self._pending_modules[0])

    def _load(self, name: str) -> None:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whoever needs it fails on its own, with its own log to show for it
            traceback.print_exc()
        self._pending_modules.remove(name)
        if not self._pending_modules:
            gc.collect()
        gc.freeze()

    def _receive(self, client: socket.socket) -> bool:
        try:
            data = client.recv(65536)
            *lines, rest = (self._buffers.get(client, b"") + data).split(b"\n")
            requests = [json.loads(line) for line in lines]
        except (OSError, ValueError):
            return False
        if not data or not all(isinstance(request, dict) for request in requests):
            return False
        self._buffers[client] = rest
        for request in requests:
            if request.get("op") == "load":
                self._pending_modules.extend(request["modules"])
            else:
                self._waiting.append((client, request))
        return True

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._buffers.pop(client, None)
        self._waiting = [item for item in self._waiting if item[0] is not client]
        self._parents = {pid: parent for pid, parent in self._parents.items() if parent is not client}
        client.close()

    def _serve(self) -> Request | None:
        """Fork for every request whose module is loaded; in a child, the request it is to carry out."""
        waiting, self._waiting = self._waiting, []
        for client, request in waiting:
            if request.get("after") in self._pending_modules:
                self._waiting.append((client, request))
                continue
            server = os.getpid()
            try:
                pid = os.fork()
            except OSError as error:
                self._send(client, {"id": request.get("id"), "error": error.strerror or str(error)})
                continue
            if pid == 0:
                self._leave(server)
                return request
            self._parents[pid] = client
            self._send(client, {"id": request.get("id"), "pid": pid})
        return None

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            client = self._parents.pop(pid, None)
            if client is not None:
                self._send(client, {"exit": pid, "status": os.waitstatus_to_exitcode(status)})

    @staticmethod
    def _send(client: socket.socket, message: Request) -> None:
        with contextlib.suppress(OSError):
            client.sendall(json.dumps(message).encode() + b"\n")

    def _leave(self, server: int) -> None:
        """In the child: cut every tie to the fork server but the parent-death signal."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        # SIGTERM: a run worker still gets to record that it was ended; what ignores it, the guardian kills.
        die_with(server, signal.SIGTERM)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)


def become(request: Request) -> None:
    """Turn this fresh child into `python -m MODULE ARGUMENT…`; what the module raises passes through."""
    log = open_log(Path(request["log"]))
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.chdir(request["cwd"])
    server_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(request["env"])
    # What `python -m` would have found: the working directory, then PYTHONPATH.
    own_path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    inherited = [entry for entry in sys.path[1:] if entry not in server_path or not entry]
    sys.path[:] = [request["cwd"], *own_path, *inherited]
    importlib.invalidate_caches()
    gc.enable()
    sys.argv = [request["module"], *request["args"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def main() -> None:
    """`python -m floe_dev.drivers.forkserver SOCKET MODULE…`, the control socket on standard input.

    A child leaves through here too, so that it ends as any program does: its threads joined, its exit handlers run.
    """
    parent = os.getppid()
    path, *preload = sys.argv[1:]
    control = socket.socket(fileno=os.dup(0))
    if sys.platform == "linux":
        die_with(parent)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path).unlink(missing_ok=True)
    old_mask = os.umask(0o177)
    listener.bind(path)
    os.umask(old_mask)
    listener.listen(16)
    request = ForkServer(control, listener, preload).run()
    if request is not None:
        become(request)


if __name__ == "__main__":
    main()
