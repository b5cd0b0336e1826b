"""The life of one service: start, probe until ready, watch, start again with back-off, stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.process import spawn, tail
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout
from floe_dev.model.stack import Service
from floe_dev.model.status import ServiceState
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.probe import ask

#: Seconds between two probes of a service that is not ready yet.
PROBE_INTERVAL = 0.05


@dataclass(frozen=True)
class RunContext:
    """What every service of one stack is started with."""

    layout: Layout
    instance: str
    hub: Hub
    ports: Mapping[str, int]
    #: The environment for children at this moment (the scoped credential is known only after provisioning).
    environment: Callable[[], dict[str, str]]
    fork: Callable[[], ForkClient | None]


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
        self._ends: list[float] = []
        self._seen = "not asked yet"
        self._task: asyncio.Task[None] | None = None
        context.hub.service(service.name, state=ServiceState.WAITING, port=context.ports.get(service.name))

    @property
    def log(self) -> Path:
        """The service's log file."""
        return self._context.layout.logs_dir / f"{self.service.name}.log"

    def begin(self) -> None:
        """Start the service and keep it running from now on."""
        self._task = asyncio.create_task(self._live(), name=self.service.name)

    async def stop(self) -> None:
        """SIGTERM to its process group, SIGKILL after the grace; returns once it is gone."""
        self._stopping = True
        if self._task is not None and self._ended is None:
            self._task.cancel()
        if self._ended is not None and not self._ended.done():
            self._observe(ServiceState.STOPPING)
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ended), self.service.stop_grace_seconds)
            if not self._ended.done():
                self._signal(signal.SIGKILL)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(self._ended), 2.0)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._observe(ServiceState.STOPPED, pid=None, reason=None)

    async def restart(self) -> None:
        """Stop it and start it again now."""
        await self.stop()
        self._stopping = False
        self._ended = None
        self._ends.clear()
        self.ready.clear()
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
        delay = self.service.restart.delay_seconds
        while not self._stopping:
            started = time.monotonic()
            try:
                self._ended = await self._start()
            except (OSError, ConnectionError) as error:
                self._fail(f"it cannot be started: {error}")
                return
            prober = asyncio.create_task(self._probe())
            code = await asyncio.shield(self._ended)
            prober.cancel()
            await asyncio.gather(prober, return_exceptions=True)
            if self._is_stopping():
                return
            reason = _describe_exit(code)
            was_ready = self.ready.is_set()
            self.ready.clear()
            policy = self.service.restart
            now = time.monotonic()
            self._ends = [t for t in self._ends if now - t < policy.window_seconds] + [now]
            if not was_ready and len(self._ends) == 1:
                # It never became ready: starting it again would only hide why.
                self._fail(reason)
                return
            if not policy.enabled or len(self._ends) > policy.max_restarts:
                self._fail(f"{reason}, {len(self._ends)} times within {policy.window_seconds:g} s")
                return
            if now - started > policy.max_delay_seconds:
                delay = policy.delay_seconds
            restarts = self._context.hub.service_status(self.service.name).restarts + 1
            self._observe(ServiceState.RESTARTING, reason=reason, restarts=restarts, pid=None)
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
        command = [_fill(part, values) for part in self.service.command]
        environment = {
            **context.environment(),
            **{key: _fill(value, values) for key, value in self.service.environment.items()},
        }
        self._observe(ServiceState.STARTING, started_at=time.time(), log=str(self.log), reason=None)
        fork = context.fork() if self.service.fork_after is not None else None
        if fork is not None and command[1:2] == ["-m"]:
            self._pid = await fork.fork(
                command[2],
                command[3:],
                environment=environment,
                directory=context.layout.root,
                log=self.log,
                after=self.service.fork_after,
            )
            ended: asyncio.Future[int] = asyncio.ensure_future(fork.wait(self._pid))
        else:
            process = spawn(command, environment=environment, directory=context.layout.root, log=self.log)
            self._pid = process.pid
            ended = asyncio.get_running_loop().run_in_executor(None, process.wait)
        self._observe(ServiceState.STARTING, pid=self._pid)
        return ended

    async def _probe(self) -> None:
        probe, port = self.service.probe, self._context.ports.get(self.service.name)
        while probe is not None and port is not None:
            answer = await ask(probe, port, self._context.instance)
            if answer.seen != self._seen:
                self._seen = answer.seen
                if not answer.ready:
                    self._observe(ServiceState.STARTING, reason=answer.seen)
            if answer.ready:
                break
            await asyncio.sleep(PROBE_INTERVAL)
        self.ready.set()
        url = f"http://127.0.0.1:{port}" if probe is not None and probe.path is not None else None
        self._observe(ServiceState.READY, ready_at=time.time(), reason=None, url=url)

    def _fail(self, reason: str) -> None:
        self._seen = reason
        self._observe(ServiceState.FAILED, reason=reason, pid=None)
        if not self.failed.done():
            self.failed.set_result(
                FloeError(
                    Code.SERVICE_FAILED,
                    f"the service `{self.service.name}` {reason}",
                    why="the last lines of its log are below",
                    detail=tail(self.log),
                    fix=f"floe logs {self.service.name}",
                    where=Where(self.log),
                )
            )

    def _is_stopping(self) -> bool:
        return self._stopping

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    def _observe(self, state: ServiceState, **changes: object) -> None:
        self._context.hub.service(self.service.name, state=state, **changes)


def _fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{name}` that is known filled in; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _describe_exit(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
