"""The services and the start-up, from the supervisor's stream of events; comes back when the supervisor does."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
from pydantic import ValidationError

from floe_dev.errors import FloeError
from floe_dev.model.state import ServiceView
from floe_dev.model.status import Event, ServiceState, ServiceStatus, StackStatus, StepStatus
from floe_dev.supervisor import client
from floe_dev.watch.store import StateStore

_RETRY_SECONDS = 0.5
_USAGE_SECONDS = 2.0


class SupervisorWatch:
    """Follows the events of one project's supervisor; another thread adds what each process uses."""

    def __init__(self, store: StateStore, root: Path) -> None:
        """Nothing is followed before `start`."""
        self._store = store
        self._root = root
        self._stopped = threading.Event()
        self._services: dict[str, ServiceStatus] = {}
        self._steps: dict[str, StepStatus] = {}
        self._usage: dict[int, tuple[int, float]] = {}
        self._processes: dict[int, psutil.Process] = {}
        #: Held from a change of what is known until the store has it: two threads put one slice, and the older of
        #: two pictures must not come last.
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to follow, in daemon threads."""
        for target in (self._follow, self._measure):
            threading.Thread(target=target, name="floe-watch-supervisor", daemon=True).start()

    def stop(self) -> None:
        """Follow no more."""
        self._stopped.set()

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                self._connected()
                for event in client.events(self._root):
                    if self._stopped.is_set():
                        return
                    with self._lock:
                        self._take(event)
                reason = "the supervisor ended"
            except FloeError as error:
                reason = error.what
            except ValidationError:
                reason = "the running supervisor is of another version of floe; `floe down`, then `floe up`"
            except Exception as error:  # noqa: BLE001 - a watcher shows what it could not read, it never ends
                reason = f"{type(error).__name__}: {error}"
            with self._lock:
                self._store.stack(phase="failed" if self._store.state.stack.error else "down")
                self._store.stale("services", reason)
            self._stopped.wait(_RETRY_SECONDS)

    def _connected(self) -> None:
        status = client.status(self._root)
        if status is not None:
            with self._lock:
                self._services, self._steps = {}, {}
                self._store.stack(project=Path(status.project).name, error=None, notices=())
                self._whole(status)

    def _whole(self, status: StackStatus) -> None:
        for service in status.services:
            self._services[service.name] = service
        for step in status.steps:
            self._steps[step.name] = step
        phase = "ready" if status.ready else "degraded" if status.urls else "starting"
        self._store.stack(
            stack=status.stack,
            started_at=status.started_at,
            urls=dict(status.urls),
            steps=tuple(self._steps.values()),
            phase=phase,
        )
        self._put()

    def _take(self, event: Event) -> None:
        match event.kind:
            case "service":
                self._services[event.name] = ServiceStatus.model_validate(event.data)
                self._put()
                self._phase()
            case "step":
                self._steps[event.name] = StepStatus.model_validate(event.data)
                self._store.stack(steps=tuple(self._steps.values()))
            case "ready":
                self._whole(StackStatus.model_validate(event.data))
            case "notice":
                notices = (*self._store.state.stack.notices, str(event.data.get("text", "")))
                self._store.stack(notices=notices[-20:])
            case "error":
                self._store.stack(error=FloeError.from_json(event.data), phase="failed")
            case "busy" | "stopped":
                self._store.stack(phase="stopping")

    def _phase(self) -> None:
        if not self._store.state.stack.urls:
            return
        states = {service.state for service in self._services.values()}
        if ServiceState.STOPPING in states:
            self._store.stack(phase="stopping")
        else:
            self._store.stack(phase="ready" if states <= {ServiceState.READY} else "degraded")

    def _put(self) -> None:
        views = []
        for status in self._services.values():
            memory, cpu = self._usage.get(status.pid or 0, (None, None))
            views.append(ServiceView(status, memory, cpu))
        self._store.put("services", views)

    def _measure(self) -> None:
        while not self._stopped.wait(_USAGE_SECONDS if self._usage else 0.5):
            found: dict[int, tuple[int, float]] = {}
            with self._lock:
                pids = [status.pid for status in self._services.values() if status.pid is not None]
            for pid in pids:
                if (used := self._used(pid)) is not None:
                    found[pid] = used
            # A megabyte, a percent: finer changes would redraw the panel for nothing.
            with self._lock:
                changed = found != self._usage
                self._usage = found
                if changed and self._store.state.services.stale_since is None:
                    self._put()

    def _used(self, pid: int) -> tuple[int, float] | None:
        try:
            process = self._processes.setdefault(pid, psutil.Process(pid))
            memory = process.memory_info().rss
            return memory >> 20 << 20, float(round(process.cpu_percent()))
        except psutil.Error:
            self._processes.pop(pid, None)
            return None
