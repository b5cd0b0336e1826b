"""One supervisor's life: serve, assemble, start, watch, stop; whatever happens, nothing of the stack stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from floe_dev.config.machine import machine_error
from floe_dev.config.stacks import tables_of
from floe_dev.drivers import forkserver
from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.forkrequest import SOCKET_VARIABLE
from floe_dev.drivers.logs import trim
from floe_dev.drivers.markers import kill_marked
from floe_dev.drivers.process import ended
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.stack import DriverKind, Service
from floe_dev.supervisor.boot import Boot, launch_fork_server, start_guardian
from floe_dev.supervisor.core import Supervisor
from floe_dev.supervisor.executing import Executor
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.lock import Holder
from floe_dev.supervisor.paths import socket_path
from floe_dev.supervisor.plan import Plan
from floe_dev.supervisor.registry import register, unregister
from floe_dev.supervisor.server import Operation, SocketServer
from floe_dev.supervisor.sockets import sweep_sockets
from floe_dev.supervisor.state import StackState, load_state, save_state

DEFAULT_STACK = "embedded"
#: Seconds between two looks at what may have changed under a running stack: its folder, its socket, its logs.
WATCH_SECONDS = 2.0
#: A fork server that keeps ending is given up; services are then started the plain way.
_FORK_SERVER_STARTS = 5


class Assembled(Protocol):
    """What one start of one project consists of."""

    #: Filled in place once the ports are chosen.
    ports: dict[str, int]

    def plan(self, fork: Callable[[], ForkClient | None]) -> Plan:
        """Services and steps; `fork` gives the fork server, once and while there is one."""
        ...

    def environment(self) -> dict[str, str]:
        """What every child has, at this moment."""
        ...

    def service_environment(self, service: Service) -> dict[str, str]:
        """What only this service is told."""
        ...


#: From layout, stack name and instance to what is started; raises FloeError 1xxx.
Assemble = Callable[[Layout, str, str], Assembled]


@dataclass(frozen=True)
class Wishes:
    """What `up` asked for (client.StartOptions, as it came over)."""

    stack: str | None
    timeout_seconds: float
    ports: Mapping[str, int]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Wishes:
        """From the JSON form."""
        return cls(options["stack"], float(options["timeout_seconds"]), dict(options["ports"]))


class Daemon:
    """The supervisor process."""

    def __init__(self, boot: Boot, wishes: Wishes, assemble: Assemble, *, later: Sequence[str] = ()) -> None:
        """`later` is what the fork server imports once the stack is ready."""
        self._boot = boot
        self._later = later
        self._layout = boot.layout
        self._wishes = wishes
        self._assemble = assemble
        self._hub = Hub(str(boot.layout.root), boot.instance, os.getpid())
        self._stop = asyncio.Event()
        self._socket = socket_path(boot.layout.root)
        self._server = SocketServer(self._hub, self._operations(), self._stop.set)
        self._state = StackState(stack=DEFAULT_STACK)
        self._supervisor: Supervisor | None = None
        self._background: list[asyncio.Task[Any]] = []
        self._forking: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """Until the stack is to end; the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        guarding = asyncio.create_task(self._keep_guarded())
        error: FloeError | None = None
        try:
            error = await self._serve_until_stopped()
        except OSError as refused:
            error = machine_error(refused, Path(refused.filename or self._layout.state_dir))
        except Exception as defect:  # noqa: BLE001 - a defect must reach the user, and must not leave processes behind
            _log(traceback.format_exc())
            error = FloeError(
                Code.INTERNAL,
                "the supervisor failed",
                why=f"{type(defect).__name__}: {defect}",
                fix=f"look into {self._layout.logs_dir / 'supervisor.log'}",
            )
        await self._end(error)
        guarding.cancel()
        return 0 if error is None else int(error.exit_code)

    async def _serve_until_stopped(self) -> FloeError | None:
        if self._boot.starter is not None:
            self._server.serve_starter(self._boot.starter)
        await self._server.listen(self._socket)
        holder = Holder(str(self._layout.root), os.getpid(), self._boot.instance, str(self._socket))
        self._boot.lock.describe(holder)
        if self._boot.left_behind:
            self._hub.notice(f"ended {self._boot.left_behind} processes that a killed stack had left behind")
        try:
            known = load_state(self._layout)
        except FloeError as error:
            return error
        if known is None and self._layout.state_file.exists():
            self._hub.notice(
                f"{self._layout.state_file} was not what floe writes, and is made anew: which stack the project had, "
                "its ports and whether its first run is done are not known any more"
            )
        stack = self._wishes.stack or (known.stack if known is not None else DEFAULT_STACK)
        self._hub.name_stack(stack)
        try:
            assembled = self._assemble(self._layout, stack, self._boot.instance)
            plan = assembled.plan(lambda: self._supervisor.fork() if self._supervisor is not None else None)
            plan.check()
        except FloeError as error:
            return error
        self._state = (
            (known or StackState(stack=stack))
            .moved_to(stack, same_tables=known is not None and self._tables(known.stack) == self._tables(stack))
            .model_copy(update={"instance": self._boot.instance, "supervisor_pid": os.getpid()})
        )
        supervisor = Supervisor(
            layout=self._layout,
            state=self._state,
            hub=self._hub,
            plan=plan,
            environment=lambda service: (
                # A container gets what it needs, and nothing of this machine's environment.
                assembled.service_environment(service)
                if service.driver is DriverKind.DOCKER
                else {
                    **assembled.environment(),
                    **assembled.service_environment(service),
                    **self._fork_environment(),
                }
            ),
            ports=assembled.ports,
            wanted_ports=self._wishes.ports,
            timeout_seconds=self._wishes.timeout_seconds,
        )
        self._supervisor = supervisor
        register(self._layout.root)
        if self._boot.fork_server is not None:
            supervisor.fork_client = ForkClient(*self._boot.fork_server)
            self._forking = asyncio.create_task(self._keep_forking(supervisor))
        return await self._start_and_watch(supervisor)

    def _tables(self, stack: str) -> str:
        return tables_of(stack, self._layout.root)

    def _fork_environment(self) -> dict[str, str]:
        return {SOCKET_VARIABLE: str(self._boot.fork_socket)} if self._boot.fork_server is not None else {}

    async def _start_and_watch(self, supervisor: Supervisor) -> FloeError | None:
        starting = asyncio.create_task(supervisor.start())
        stopping = asyncio.create_task(self._stop.wait())
        watching = asyncio.create_task(self._watch())
        self._background += [stopping, watching]
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return None
            starting.result()
        except FloeError as error:
            return error
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        _log("ready")
        if (fork := supervisor.fork()) is not None:
            fork.load(self._later)
        for path in await asyncio.to_thread(sweep_sockets, self._socket.parent):
            _log(f"removed {path}, which a killed stack had left behind")
        await stopping
        return None

    async def _end(self, error: FloeError | None) -> None:
        """Stop everything, then tell, so that who hears it finds nothing running any more."""
        if error is not None:
            _log(str(error))
        self._hub.ready, self._hub.stopping = False, True
        self._stop.set()  # whoever waits for a command is told now
        for task in self._background:
            task.cancel()
        if self._supervisor is not None:
            await self._supervisor.stop()
            self._state = self._supervisor.state
            if self._forking is not None:
                # Not earlier: without it nobody would hear how the forked services end.
                self._forking.cancel()
        elif self._boot.fork_server is not None:
            self._boot.fork_server[0].kill()
            self._boot.fork_server[0].wait()
        await asyncio.to_thread(kill_marked, self._boot.instance)
        unregister(self._layout.root)
        if self._state.instance and self._boot.lock.in_place():
            with contextlib.suppress(OSError):
                save_state(self._layout, self._state.model_copy(update={"supervisor_pid": None}))
        if error is not None:
            self._hub.error = error
            self._hub.publish("error", data=error.to_json())
        self._hub.publish("stopped")
        await self._server.close()
        for path in (self._socket, self._boot.fork_socket):
            with contextlib.suppress(OSError):
                path.unlink()
        _log("ended")

    def _operations(self) -> dict[str, Operation]:
        async def first_run_done(_request: dict[str, Any]) -> dict[str, Any]:
            self._running().finish_first_run()
            return {}

        return {"command": Executor(self._running, self._stop).answer, "first-run-done": first_run_done}

    def _running(self) -> Supervisor:
        if self._hub.stopping:
            raise FloeError(Code.NOT_RUNNING, "the stack is stopping", why="somebody asked for it", fix="floe up")
        if self._supervisor is None or not self._hub.ready:
            raise FloeError(
                Code.NOT_RUNNING, "the stack is still starting", why="it is not ready yet", fix="floe status --watch"
            )
        return self._supervisor

    async def _watch(self) -> None:
        """Notice what happens under a running stack: its folder is deleted or moved, its socket cleaned away."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._boot.lock.in_place():
                _log("the project's state directory is gone: stopping")
                self._stop.set()
                return
            if not self._socket.exists():
                with contextlib.suppress(OSError):
                    await self._server.listen(self._socket)
            for log in self._layout.logs_dir.glob("*.log"):
                trim(log)

    async def _keep_guarded(self) -> None:
        """Have a guardian at all times; a killed one is replaced."""
        guardian: subprocess.Popen[bytes] = self._boot.guardian
        while True:
            since = time.monotonic()
            await ended(guardian)
            _log("the guardian was killed: starting another")
            if time.monotonic() - since < 1.0:
                await asyncio.sleep(1.0)  # something is wrong here, and a stream of processes would not mend it
            guardian = start_guardian(self._boot.instance)

    async def _keep_forking(self, supervisor: Supervisor) -> None:
        """Have a fork server at all times; the services of one that ended are started again by their runners."""
        for _ in range(_FORK_SERVER_STARTS):
            if supervisor.fork_client is None:
                return
            await supervisor.fork_client.listen()
            if self._hub.stopping:
                return
            _log("the fork server ended: starting another")
            if not forkserver.supported():
                return
            modules = (*self._boot.preload, *self._later)
            launched = launch_fork_server(self._layout, self._boot.instance, self._boot.fork_socket, modules)
            supervisor.fork_client = ForkClient(*launched)
        supervisor.fork_client = None


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk must not keep the supervisor from ending its services
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        sys.stderr.flush()
