"""The supervisor: walks the plan's graph, keeps the services alive, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from floe_dev.config.machine import machine_error
from floe_dev.config.stacks import tables_of
from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.markers import kill_marked
from floe_dev.drivers.ports import is_free
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.stack import DriverKind, Service
from floe_dev.model.status import ServiceState
from floe_dev.supervisor.containers import Containers
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.plan import Plan, Step
from floe_dev.supervisor.ports import PortClaims
from floe_dev.supervisor.runner import RunContext, ServiceRunner
from floe_dev.supervisor.start_trace import record_start
from floe_dev.supervisor.state import StackState, save_state

#: Seconds a stack has to end in good order before the rest is killed.
STOP_SECONDS = 3.0


@dataclass
class Supervisor:
    """One running stack."""

    layout: Layout
    state: StackState
    hub: Hub
    plan: Plan
    environment: Callable[[Service], dict[str, str]]
    #: Filled with the ports chosen, for whoever made the plan.
    ports: dict[str, int]
    timeout_seconds: float
    #: Ports asked for by service name; they go before the remembered ones.
    wanted_ports: Mapping[str, int] = field(default_factory=dict)
    fork_client: ForkClient | None = None
    runners: dict[str, ServiceRunner] = field(default_factory=dict)
    containers: Containers = field(init=False)
    #: Held for as long as this process lives.
    port_claims: PortClaims | None = None

    def __post_init__(self) -> None:
        """The engine is found when the first container is started."""
        self.containers = Containers(
            self.layout,
            self.state.instance,
            # A stack that extends another one has that one's tables, and so its volumes.
            tables_of(self.state.stack, self.layout.root),
            lambda service, text: self.hub.service(service, state=ServiceState.STARTING, reason=text),
        )

    async def start(self) -> None:
        """Bring everything up; raises the first FloeError, or 2102 once the shared deadline is over."""
        await self._free_ports()
        self.choose_ports()
        context = RunContext(
            layout=self.layout,
            instance=self.state.instance,
            hub=self.hub,
            ports=self.ports,
            environment=self.environment,
            fork=self.fork,
            containers=self.containers,
        )
        self.runners = {service.name: ServiceRunner(service, context) for service in self.plan.services}
        for step in self.plan.steps:
            self.hub.step(step.name, "waiting")
        nodes = self.plan.nodes()
        done = {name: asyncio.Event() for name in nodes}
        tasks = [asyncio.create_task(self._node(node, done), name=name) for name, node in nodes.items()]
        try:
            async with asyncio.timeout(self.timeout_seconds):
                for finished in asyncio.as_completed(tasks):
                    await finished
        except TimeoutError:
            late = self._too_late(done)
            record_start(self.layout, self.hub.status(), self.plan, error=late.what)
            raise late from None
        except FloeError as error:
            record_start(self.layout, self.hub.status(), self.plan, error=error.what)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        record_start(self.layout, self.hub.status(), self.plan)
        self.hub.urls = self.plan.urls(self.ports)
        self.hub.ready = True
        self.hub.publish("ready", data=self.hub.status().model_dump(mode="json", by_alias=True))

    def fork(self) -> ForkClient | None:
        """The fork server, while there is one."""
        return self.fork_client if self.fork_client is not None and self.fork_client.alive else None

    async def _free_ports(self) -> None:
        """Remove a killed supervisor's containers where they still hold the ports that are remembered for ours."""
        ours = (s for s in self.plan.services if s.driver is DriverKind.DOCKER)
        remembered = [self.state.ports.get(name, port) for s in ours for name, port in s.wanted_ports().items()]
        if any(not is_free(port) for port in remembered):
            # Whatever is wrong with the engine is told by the first service that needs it.
            with contextlib.suppress(FloeError):
                await self.containers.connect()

    def choose_ports(self) -> None:
        """Give every service its port: the remembered one, else the wanted one, else a free one, and tell."""
        claims = PortClaims(self.layout.root)
        ports: dict[str, int] = {}
        preferred = {name: port for service in self.plan.services for name, port in service.wanted_ports().items()}
        for name, port in preferred.items():
            choice = claims.choose(self.wanted_ports.get(name) or self.state.ports.get(name, port))
            ports[name] = choice.port
            if choice.taken is not None:
                why = f"is held by {choice.holder}" if choice.holder else "is taken"
                self.hub.notice(f"port {choice.taken} {why}: {name} listens on {choice.port} instead")
        self.port_claims = claims
        self.ports.update(ports)
        self.state = self.state.model_copy(update={"ports": ports})
        save_state(self.layout, self.state)

    async def _node(self, node: Service | Step, done: dict[str, asyncio.Event]) -> None:
        for needed in node.depends_on:
            await done[needed].wait()
        if isinstance(node, Step):
            await self._step(node)
        else:
            runner = self.runners[node.name]
            runner.begin()
            await runner.wait_until_ready()
        done[node.name].set()

    async def _step(self, step: Step) -> None:
        started = time.monotonic()
        self.hub.step(step.name, "running", started_at=time.time())
        try:
            detail = await step.action()
        except FloeError as error:
            seconds = round(time.monotonic() - started, 3)
            self.hub.step(step.name, "failed", seconds=seconds, detail=error.what)
            if not step.optional:
                raise
            self.hub.notice(str(error))
            return
        self.hub.step(step.name, "done", seconds=round(time.monotonic() - started, 3), detail=detail)
        begun = [self.runners[name] for name in step.outdated() if self.runners[name].begun]
        await asyncio.gather(*(runner.restart() for runner in begun))

    def _too_late(self, done: dict[str, asyncio.Event]) -> FloeError:
        missing = [name for name, event in done.items() if not event.is_set()]
        lines = []
        for name in missing:
            runner = self.runners.get(name)
            if runner is None:
                lines.append(f"{name}: not done")
            elif runner.service.depends_on and any(d in missing for d in runner.service.depends_on):
                lines.append(f"{name}: waits for {', '.join(d for d in runner.service.depends_on if d in missing)}")
            else:
                lines.append(f"{name}: {runner.unready_reason()}")
        return FloeError(
            Code.START_TIMEOUT,
            f"the stack was not ready within {self.timeout_seconds:g} s",
            why=f"{len(missing)} parts were not ready",
            detail=tuple(lines),
            fix="floe up --timeout " + str(int(self.timeout_seconds * 2)),
        )

    async def restart(self, name: str) -> None:
        """Restart one service and wait until it is ready; raises FloeError 2103 or 2101."""
        runner = self.runners.get(name)
        if runner is None:
            raise FloeError(
                Code.NO_SUCH_SERVICE,
                f"there is no service `{name}`",
                why=f"the services are: {', '.join(self.runners)}",
                fix="floe status",
            )
        await runner.restart()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await runner.wait_until_ready()
        except TimeoutError:
            raise FloeError(
                Code.START_TIMEOUT,
                f"`{name}` was not ready within {self.timeout_seconds:g} s",
                why=runner.unready_reason(),
                fix=f"floe logs {name}",
            ) from None

    def finish_first_run(self) -> None:
        """Remember that every asset was materialized once; raises FloeError 91xx where that cannot be written."""
        self.state = self.state.model_copy(update={"first_run_done": True})
        try:
            save_state(self.layout, self.state)
        except OSError as error:
            raise machine_error(error, self.layout.state_file) from error

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End every service once those that need it have ended, within `seconds`; then whatever carries the marker."""
        give_up = time.monotonic() + seconds
        needing = {
            name: [other for other, runner in self.runners.items() if name in runner.service.depends_on]
            for name in self.runners
        }
        gone = {name: asyncio.Event() for name in self.runners}

        async def end(name: str, runner: ServiceRunner) -> None:
            for other in needing[name]:
                await gone[other].wait()
            # For what it needs itself a moment is left, so that the catalog too is asked before it is killed.
            needs = any(other in self.runners for other in runner.service.depends_on)
            try:
                await runner.stop(give_up - time.monotonic() - (0.5 if needs else 0.0))
            finally:
                gone[name].set()

        await asyncio.gather(*(end(name, runner) for name, runner in self.runners.items()))
        if self.fork_client is not None:
            self.fork_client.close()
        await self.containers.close()
        await asyncio.to_thread(kill_marked, self.state.instance, grace_seconds=0.2)
