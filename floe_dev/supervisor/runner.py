"""The life of one service: start, probe until ready, watch, start again with back-off, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.config.interpolation import MissingVariableError, interpolate
from floe_dev.config.machine import disk_is_full
from floe_dev.drivers import docker
from floe_dev.drivers.events import ContainerEvent
from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.ports import LOOPBACK, holder_of, is_free, listens
from floe_dev.drivers.process import ended, spawn, tail
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout
from floe_dev.model.stack import DriverKind, Service
from floe_dev.model.status import ServiceState
from floe_dev.supervisor.containers import Containers, check
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.liveness import silences
from floe_dev.supervisor.probe import ask

#: Seconds between two probes of a service that is not ready yet.
PROBE_INTERVAL = 0.05
#: Seconds a process has to disappear after SIGKILL.
_KILL_SECONDS = 2.0
_OUT_OF_MEMORY = "ran out of memory"


@dataclass(frozen=True)
class RunContext:
    """What every service of one stack is started with."""

    layout: Layout
    instance: str
    hub: Hub
    ports: Mapping[str, int]
    #: The environment for a service at this moment (the scoped credential is known only after provisioning).
    environment: Callable[[Service], dict[str, str]]
    #: The fork server, while there is one.
    fork: Callable[[], ForkClient | None]
    #: The engine, for services in containers.
    containers: Containers


class ServiceRunner:
    """Owns one service's process; everything observed goes to the hub."""

    def __init__(self, service: Service, context: RunContext) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.failed: asyncio.Future[FloeError] = asyncio.get_running_loop().create_future()
        self._context = context
        self._stopping = False
        self._pid: int | None = None
        self._ended: asyncio.Future[int] | None = None
        self._container: Any = None
        #: What the engine said of the end that is coming.
        self._told: str | None = None
        #: The state that was shown before somebody paused the container.
        self._shown: ServiceState | None = None
        self._ends: list[float] = []
        self._started = time.time(), time.monotonic()
        self._seen = "not asked yet"
        self._task: asyncio.Task[None] | None = None
        self._restarting: asyncio.Task[None] | None = None
        context.hub.service(service.name, state=ServiceState.WAITING, port=context.ports.get(service.name))

    @property
    def log(self) -> Path:
        """The service's log file."""
        return self._context.layout.logs_dir / f"{self.service.name}.log"

    @property
    def begun(self) -> bool:
        """Whether it was started."""
        return self._task is not None

    def begin(self) -> None:
        """Start the service and keep it running from now on."""
        self._task = asyncio.create_task(self._live(), name=self.service.name)

    async def stop(self, limit_seconds: float | None = None) -> None:
        """SIGTERM to its process group, SIGKILL after the grace (at most `limit_seconds`); returns once it is gone."""
        self._stopping = True
        grace = self.service.stop_grace_seconds
        if limit_seconds is not None:
            grace = max(0.0, min(grace, limit_seconds))
        if self._ended is not None and not self._ended.done():
            self._observe(ServiceState.STOPPING)
            if self._container is not None:
                await asyncio.to_thread(docker.stop, self._container, grace)
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ended), grace)
            if not self._ended.done():
                self._signal(signal.SIGKILL)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(self._ended), _KILL_SECONDS)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._end_group()
        self.ready.clear()
        self._observe(ServiceState.STOPPED, pid=None, reason=None)

    async def restart(self) -> None:
        """Stop it and start it again now; who asks for that while it is being stopped gets the same start."""
        if self._restarting is None or self._restarting.done():
            self._restarting = asyncio.create_task(self._restart(), name=f"restart {self.service.name}")
        await asyncio.shield(self._restarting)

    async def _restart(self) -> None:
        await self.stop()
        self._stopping = False
        self._ended = None
        self._ends.clear()
        if self.failed.done():
            self.failed = asyncio.get_running_loop().create_future()
        self.begin()

    async def wait_until_ready(self) -> None:
        """Return once it is ready; raises the FloeError 2101 it failed with."""
        ready = asyncio.create_task(self.ready.wait())
        both: set[asyncio.Future[Any]] = {ready, self.failed}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self.failed.done():
            raise self.failed.result()

    def unready_reason(self) -> str:
        """Why it is not ready: the last probe's answer."""
        return self._seen

    async def _live(self) -> None:
        policy = self.service.restart
        delay = policy.delay_seconds
        while True:
            try:
                self._ended = await self._start()
            except OSError as error:
                self._fail(f"cannot be started: {error}")
                return
            except FloeError as error:
                self._observe(ServiceState.FAILED, reason=error.what, pid=None)
                self._seen = error.what
                if not self.failed.done():
                    self.failed.set_result(error)
                return
            prober = asyncio.create_task(self._probe(self._pid or 0))
            try:
                code = await asyncio.shield(self._ended)
            finally:
                prober.cancel()
                await asyncio.gather(prober, return_exceptions=True)
            if self._stopping:
                return
            # What it leaves of its group may still hold its port.
            self._end_group()
            reason = await self._why_ended(code)
            was_ready = self.ready.is_set()
            self.ready.clear()
            now = time.monotonic()
            self._ends = [t for t in self._ends if now - t < policy.window_seconds] + [now]
            if not was_ready and len(self._ends) == 1:
                # It never became ready: starting it again would only hide why.
                self._fail(reason + await self._port_thief())
                return
            if not policy.enabled or len(self._ends) > policy.max_restarts:
                self._fail(f"{reason}, {len(self._ends)} times within {policy.window_seconds:g} s")
                return
            if was_ready and now - self._started[1] > policy.max_delay_seconds:
                delay = policy.delay_seconds
            restarts = self._context.hub.service_status(self.service.name).restarts + 1
            self._observe(ServiceState.RESTARTING, reason=reason, restarts=restarts, last_end=reason, pid=None)
            await asyncio.sleep(delay)
            delay = min(delay * 2, policy.max_delay_seconds)

    async def _start(self) -> asyncio.Future[int]:
        context = self._context
        # Filled in now and not earlier: the scoped credential exists only after provisioning.
        values = {
            "python": sys.executable,
            "port": str(context.ports.get(self.service.name, "")),
            "root": str(context.layout.root),
            "state": str(context.layout.state_dir),
            "instance": context.instance,
            **{f"port:{name}": str(port) for name, port in context.ports.items()},
        }
        given = context.environment(self.service)
        command = [self._filled(part, values, given) for part in self.service.command]
        own = {key: self._filled(value, values, given) for key, value in self.service.environment.items()}
        # A container gets what its file names, and nothing else of this machine's or of the stack's.
        environment = own if self.service.driver is DriverKind.DOCKER else {**given, **own}
        self._started = time.time(), time.monotonic()
        self._seen = "not asked yet"
        self._observe(ServiceState.STARTING, started_at=self._started[0], ready_at=None, log=str(self.log), reason=None)
        if self.service.driver is DriverKind.DOCKER:
            return await self._start_container(command, environment)
        fork = context.fork() if self.service.fork_after is not None else None
        end: asyncio.Future[int] | None = None
        if fork is not None and command[1:2] == ["-m"]:
            with contextlib.suppress(ConnectionError):  # the fork server has just ended: do without
                self._pid = await fork.fork(
                    command[2],
                    command[3:],
                    environment=environment,
                    directory=context.layout.root,
                    log=self.log,
                    after=self.service.fork_after,
                )
                end = fork.wait(self._pid)
        if end is None:
            process = spawn(command, environment=environment, directory=context.layout.root, log=self.log)
            self._pid = process.pid
            end = ended(process)
        self._observe(ServiceState.STARTING, pid=self._pid)
        return end

    def _filled(self, text: str, values: Mapping[str, str], given: Mapping[str, str]) -> str:
        """Placeholders, then Compose's variables: what floe gives the service, else this environment's."""
        try:
            return interpolate(_fill(text, values), {**os.environ, **given})
        except MissingVariableError as error:
            raise FloeError(
                Code.INVALID_VALUE,
                f"a variable of service `{self.service.name}` is not set",
                why=str(error),
                fix="set it in the environment of `floe up`, or give it a default in the stack file",
            ) from None

    async def _start_container(self, command: list[str], environment: Mapping[str, str]) -> asyncio.Future[int]:
        context = self._context
        self._told, self._shown = None, None
        context.containers.listen(self.service.name, self._hear)
        self._container, end = await context.containers.start(
            self.service, command, environment, context.ports, self.log
        )
        self._observe(ServiceState.STARTING, container=self._container.name)
        return end

    def _hear(self, event: ContainerEvent) -> None:
        """What the engine says of our container; an older one's end is no news."""
        if self._container is None or event.container != self._container.id:
            return
        if event.action == "oom":
            self._told = _OUT_OF_MEMORY
        elif event.action == "pause":
            self._shown = self._context.hub.service_status(self.service.name).state
            self._observe(ServiceState.STARTING, reason=f"paused from outside (docker unpause {self._container.name})")
        elif event.action == "unpause" and self._shown is not None:
            self._observe(self._shown, reason=None)
            self._shown = None

    async def _why_ended(self, code: int) -> str:
        contained = self._container is not None
        # The event may come after the end itself.
        if contained and not self._told and await asyncio.to_thread(docker.ran_out_of_memory, self._container):
            self._told = _OUT_OF_MEMORY
        return self._told or _describe_exit(code, contained=contained)

    async def _probe(self, pid: int) -> None:
        probe = self.service.probe
        port = self._context.ports.get(self.service.port_key(probe.container_port if probe is not None else None))
        # From here first: a request costs a millisecond, a command in the container a hundred, while it is starting.
        while probe is not None and port is not None:
            answer = await ask(probe, port, self._context.instance)
            seen, ready = answer.seen, answer.ready
            contained = self._container is not None  # the engine itself holds the port for it
            if ready and not contained and probe.instance_header is None and listens(port, pid) is False:
                # Its answers carry no mark of ours: ours is who holds the port.
                seen, ready = f"{LOOPBACK}:{port} is answered by something that is not this stack", False
            if ready:
                break
            self._note(seen)
            await asyncio.sleep(PROBE_INTERVAL)
        while self._container is not None and self.service.healthcheck:
            ready, seen = await check(self._container, self.service.healthcheck)
            if ready:
                break
            self._note(seen)
            await asyncio.sleep(PROBE_INTERVAL)
        if (probe is None or port is None) and not self.service.healthcheck:
            # An end meanwhile cancels this, and is told as what it is: a failed start.
            await asyncio.sleep(self.service.settle_seconds)
        own = self._context.ports.get(self.service.name)
        path = probe.path if probe is not None and port is not None else None
        url = f"http://{LOOPBACK}:{own}" if own is not None and path is not None else None
        health_url = f"http://{LOOPBACK}:{port}{path}" if path is not None else None
        # Not the clock's time, which may have jumped meanwhile.
        ready_at = self._started[0] + time.monotonic() - self._started[1]
        self._observe(ServiceState.READY, ready_at=ready_at, reason=None, url=url, health_url=health_url)
        self.ready.set()
        async for silent in silences(probe, port, self._context.instance, pid or None):
            shown = self._context.hub.service_status(self.service.name)
            # Any other state is somebody else's word: it is being stopped, its container is paused.
            if shown.state in (ServiceState.READY, ServiceState.HUNG) and shown.reason != silent:
                self._observe(ServiceState.READY if silent is None else ServiceState.HUNG, reason=silent)

    def _note(self, seen: str) -> None:
        """Show why it is not ready yet, once for each reason."""
        if seen != self._seen and not self._stopping:
            self._seen = seen
            self._observe(ServiceState.STARTING, reason=seen)

    async def _port_thief(self) -> str:
        """Who took the port between its choice and the service's start."""
        port = self._context.ports.get(self.service.name)
        if port is None or is_free(port):
            return ""
        holder = await asyncio.to_thread(holder_of, port)
        return f"; port {port} is held by {holder or 'another process'}"

    def _fail(self, reason: str) -> None:
        self._seen = reason
        self._observe(ServiceState.FAILED, reason=reason, pid=None)
        if not self.failed.done():
            full = disk_is_full(self._context.layout.state_dir)
            self.failed.set_result(
                FloeError(
                    Code.DISK_FULL if full else Code.SERVICE_FAILED,
                    f"the service `{self.service.name}` {reason}",
                    why="the disk is full" if full else "the last lines of its log are below",
                    detail=tail(self.log),
                    fix="free some space (df -h shows it)" if full else f"floe logs {self.service.name}",
                    where=Where(self.log),
                )
            )

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    def _end_group(self) -> None:
        """Kill what is left of the group, right after its leader ended."""
        self._signal(signal.SIGKILL)
        self._pid = None

    def _observe(self, state: ServiceState, **changes: object) -> None:
        self._context.hub.service(self.service.name, state=state, **changes)


def _fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{name}` that is known filled in, once; other braces stay as they are."""
    return re.sub(r"\{([^{}]+)\}", lambda found: values.get(found[1], found[0]), text)


def _describe_exit(code: int, *, contained: bool = False) -> str:
    # A container that a signal ended says 128 and the signal's number.
    number = code - 128 if contained and code > 128 else -code
    if number > 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(number).name}"
    return f"ended with exit code {code}"
