"""A process that imports what several services share, once, and forks them from it (Linux).

Dagster's code server, web server, daemon and run workers import the same two seconds of modules each; forked from
one parent they share that time and that memory. Modules are loaded in the order given, and a request is served as
soon as the module it waits for is there, so that the web server need not wait for what only the code server uses.

Protocol: JSON lines on a Unix socket inherited as standard input (the supervisor's end), and on a listening socket at
PATH for others of the same user (the run launcher). `{"op": "fork", "id", "module", "args", "env", "cwd", "log",
"after"}` is answered `{"id", "pid"}`; when a child of the supervisor's ends, `{"exit": pid, "status": code}`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from floe_dev.drivers.process import open_log

_PR_SET_PDEATHSIG = 1


class ForkServer:
    """Serves fork requests between and after the imports."""

    def __init__(self, control: socket.socket, listener: socket.socket, preload: list[str]) -> None:
        self._control = control
        self._listener = listener
        self._pending_modules = preload
        self._loaded: set[str] = set()
        self._waiting: list[tuple[socket.socket, dict[str, Any]]] = []
        self._buffers: dict[socket.socket, bytes] = {}
        self._parents: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Import, fork and reap until the supervisor's end of the control socket closes."""
        # The collector would walk the growing heap of modules again and again; frozen, it stays shared after a fork.
        gc.disable()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ, "client")
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        while True:
            # Between two imports only look whether somebody asks; afterwards sleep until somebody does.
            for key, _ in self._selector.select(timeout=0 if self._pending_modules else None):
                if key.data == "listener":
                    client, _ = self._listener.accept()
                    self._selector.register(client, selectors.EVENT_READ, "client")
                elif key.data == "wake":
                    os.read(self._wake_read, 4096)
                    self._reap()
                elif not self._receive(key.fileobj):  # type: ignore[arg-type]
                    if key.fileobj is self._control:
                        return
                    self._forget(key.fileobj)  # type: ignore[arg-type]
            self._serve()
            if self._pending_modules:
                name = self._pending_modules.pop(0)
                importlib.import_module(name)
                self._loaded.add(name)
                if not self._pending_modules:
                    gc.collect()
                gc.freeze()
                self._serve()

    def _receive(self, client: socket.socket) -> bool:
        try:
            data = client.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        *lines, rest = (self._buffers.get(client, b"") + data).split(b"\n")
        self._buffers[client] = rest
        self._waiting.extend((client, json.loads(line)) for line in lines)
        return True

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._buffers.pop(client, None)
        self._waiting = [item for item in self._waiting if item[0] is not client]
        self._parents = {pid: parent for pid, parent in self._parents.items() if parent is not client}
        client.close()

    def _serve(self) -> None:
        still: list[tuple[socket.socket, dict[str, Any]]] = []
        for client, request in self._waiting:
            after = request.get("after")
            if after and after in self._pending_modules:
                still.append((client, request))
            else:
                self._fork(client, request)
        self._waiting = still

    def _fork(self, client: socket.socket, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(request)
        self._parents[pid] = client
        self._send(client, {"id": request.get("id"), "pid": pid})

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
    def _send(client: socket.socket, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            client.sendall(json.dumps(message).encode() + b"\n")

    def _become(self, request: dict[str, Any]) -> NoReturn:
        """In the child: cut every tie to the fork server, then run the module as `python -m` would."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            _die_with_parent()
            for sock in [self._control, self._listener, *self._buffers]:
                sock.close()
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            log = open_log(Path(request["log"]))
            os.dup2(log, 1)
            os.dup2(log, 2)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            gc.enable()
            code = _run_module(request["module"], request["args"])
        except BaseException:  # noqa: BLE001 - the child must never return into the parent's loop
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _run_module(module: str, args: list[str]) -> int:
    import runpy

    sys.argv = [module, *args]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        import atexit

        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit follows; this is what sys.exit would have run
        if exit_.code is None:
            return 0
        return exit_.code if isinstance(exit_.code, int) else 1
    return 0


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the fork server ends (prctl(2), PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """`python -m floe_dev.drivers.forkserver SOCKET MODULE…`, the control socket on standard input."""
    path, *preload = sys.argv[1:]
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path).unlink(missing_ok=True)
    old_mask = os.umask(0o177)
    listener.bind(path)
    os.umask(old_mask)
    listener.listen(16)
    ForkServer(control, listener, preload).run()


if __name__ == "__main__":
    main()
