"""The engine as one stack uses it: one client, one network, one stream of events, made when the first container is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from floe_dev.drivers import docker
from floe_dev.drivers.events import ContainerEvent, EventStream
from floe_dev.drivers.pull import PullState, pull, together
from floe_dev.drivers.refusals import OWN_IMAGES, mount_missing
from floe_dev.model.layout import Layout
from floe_dev.model.stack import Service
from floe_dev.supervisor.paths import CONTAINERS_MARK, project_key
from floe_dev.tracing.stream import Splitter

#: Seconds a command in a container has, such as a health check.
_EXEC_SECONDS = 10.0


def _nobody(_service: str, _text: str) -> None:
    """Nobody listens."""


class Containers:
    """Starts the containers of one project; every blocking call to the engine is made in a thread."""

    def __init__(self, layout: Layout, instance: str, tables: str, tell: Callable[[str, str], None] = _nobody) -> None:
        """Nothing is asked of the engine yet; a stack without containers never does.

        `tables` is the stack whose volumes are taken; `tell` hears, by service, how far the pull of its image is.
        """
        self._tables = tables
        self._tell_progress = tell
        self._pulls: dict[str, PullState] = {}
        self.project = project_key(layout.root)
        self._layout = layout
        self._instance = instance
        self._client: Any = None
        self._network = ""
        self._events: EventStream | None = None
        self._connecting = asyncio.Lock()
        self._listeners: dict[str, Callable[[ContainerEvent], None]] = {}

    def listen(self, service: str, tell: Callable[[ContainerEvent], None]) -> None:
        """Call `tell` in the event loop for whatever happens to the service's container."""
        self._listeners[service] = tell

    async def connect(self) -> Any:
        """The engine's client; the first call also removes an older start's containers and makes the network.

        Raises FloeError 2301, 2302, 2304, 2322.
        """
        async with self._connecting:
            if self._client is None:
                (self._layout.state_dir / CONTAINERS_MARK).touch()
                client = await asyncio.to_thread(docker.connect)
                self._network = await asyncio.to_thread(self._prepare, client)
                loop = asyncio.get_running_loop()

                def tell(event: ContainerEvent) -> None:
                    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                        loop.call_soon_threadsafe(self._tell, event)

                self._events = EventStream(client, self.project, tell)
                self._client = client
            return self._client

    def _prepare(self, client: Any) -> str:
        docker.remove_others(client, self.project, self._instance)
        return docker.ensure_network(client, self.project)

    def _tell(self, event: ContainerEvent) -> None:
        listener = self._listeners.get(event.service)
        if listener is not None:
            listener(event)

    async def start(
        self,
        service: Service,
        command: Sequence[str],
        environment: Mapping[str, str],
        ports: Mapping[str, int],
        log: Path,
    ) -> tuple[Any, asyncio.Future[int]]:
        """The running container, its output going to `log`, and its exit code to come; FloeError as of docker.start."""
        client = await self.connect()
        inside = [port for port in (service.container_port, *service.more_ports) if port is not None]
        spec = docker.ContainerSpec(
            project=self.project,
            instance=self._instance,
            service=service.name,
            image=service.image or "",
            entrypoint=service.entrypoint,
            command=command,
            environment=environment,
            ports={port: ports[service.port_key(port)] for port in inside},
            # The tables of one stack are not those of another.
            volumes={f"floe-{self.project}-{self._tables}-{name}": path for name, path in service.volumes.items()},
            network=self._network,
            binds=service.binds,
            tmpfs=service.tmpfs,
            user=service.user,
            working_dir=service.working_dir,
            hostname=service.hostname,
            read_only=service.read_only,
            memory_bytes=service.memory_bytes,
            init=service.init,
            data_version=service.data_version,
            labels={"dev.floe.root": str(self._layout.root)},
        )
        for bind in service.binds:
            if not await asyncio.to_thread(Path(bind.source).exists):
                raise mount_missing(service.name, bind.source)
        await self._have_image(client, service)
        container = await asyncio.to_thread(docker.start, client, spec)
        if service.telemetry:
            docker.follow(container, log, Splitter(self._layout.telemetry_dir / "spool").feed)
        else:
            docker.follow(container, log)
        return container, _end_of(container)

    async def _have_image(self, client: Any, service: Service) -> None:
        """Pull the service's image where it is not here; images of our own are built, not pulled."""
        image = service.image or ""
        if image.startswith(OWN_IMAGES) or await asyncio.to_thread(docker.has_image, client, image):
            return
        loop = asyncio.get_running_loop()

        def told(state: PullState) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._progress, service.name, state)

        try:
            await asyncio.to_thread(pull, client, image, told, service.name)
        finally:
            self._pulls.pop(service.name, None)

    def _progress(self, service: str, state: PullState) -> None:
        self._pulls[service] = state
        every = list(self._pulls.values())
        more = f" ({together(every)})" if len(every) > 1 else ""
        self._tell_progress(service, f"pulling {state.image}: {state.text()}{more}")

    async def close(self) -> None:
        """Stop listening and remove the network; containers are their runners' to stop."""
        if self._events is not None:
            self._events.close()
        if self._client is not None:
            await asyncio.to_thread(docker.remove_network, self._client, self.project)


async def check(container: Any, command: Sequence[str]) -> tuple[bool, str]:
    """Whether `command` succeeds in the container, and the last line it said."""

    def run() -> tuple[bool, str]:
        try:
            code, output = container.exec_run(list(command))
        except Exception as error:  # noqa: BLE001 - it may be gone, or not be up yet: not ready, whatever the kind
            return False, str(error).splitlines()[0]
        lines = bytes(output or b"").decode("utf-8", "replace").strip().splitlines()
        return code == 0, lines[-1] if lines else f"`{command[0]}` ended with {code}"

    try:
        async with asyncio.timeout(_EXEC_SECONDS):
            return await asyncio.to_thread(run)
    except TimeoutError:
        return False, f"`{command[0]}` did not end within {_EXEC_SECONDS:g} s"


def _end_of(container: Any) -> asyncio.Future[int]:
    """The container's exit code, once it ends, from a daemon thread: a pool's would outlive the supervisor's end."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not end.done():
            end.set_result(code)

    def wait() -> None:
        code = docker.wait(container)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(tell, code)

    threading.Thread(target=wait, name=f"end of {container.name}", daemon=True).start()
    return end
