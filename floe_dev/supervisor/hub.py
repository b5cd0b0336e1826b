"""The observed state of the stack and its stream of events: one writer (the supervisor), many subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from floe_dev.errors import FloeError
from floe_dev.model.status import Event, ServiceState, ServiceStatus, StackStatus, StepStatus

#: A subscriber that reads nothing is dropped after this many events.
QUEUE_LIMIT = 10_000
#: What is known now as events, and a queue of all that follows until None.
Subscription = tuple[list[Event], asyncio.Queue[Event | None]]


class Hub:
    """Holds the latest status of everything and hands each change to every subscriber."""

    def __init__(self, project: str, instance: str, pid: int) -> None:
        self._base = StackStatus(
            project=project, stack="", instance=instance, supervisor_pid=pid, started_at=time.time()
        )
        self._services: dict[str, ServiceStatus] = {}
        self._steps: dict[str, StepStatus] = {}
        self._notices: list[Event] = []
        self._subscribers: set[asyncio.Queue[Event | None]] = set()
        self.ready = False
        self.stopping = False
        self.error: FloeError | None = None
        self.urls: dict[str, str] = {}

    def status(self) -> StackStatus:
        """The whole stack as last seen."""
        return self._base.model_copy(
            update={
                "ready": self.ready and all(s.state is ServiceState.READY for s in self._services.values()),
                "services": tuple(self._services.values()),
                "steps": tuple(self._steps.values()),
                "urls": dict(self.urls),
            }
        )

    def name_stack(self, stack: str) -> None:
        """Say which stack this is, once that is known."""
        self._base = self._base.model_copy(update={"stack": stack})

    def service(self, name: str, **changes: Any) -> None:
        """Record what was seen of a service and tell the subscribers."""
        known = self._services.get(name) or ServiceStatus(name=name, state=ServiceState.WAITING)
        self._services[name] = known.model_copy(update=changes)
        self.publish("service", name, self._services[name].model_dump(mode="json"))

    def service_status(self, name: str) -> ServiceStatus:
        """One service as last seen."""
        return self._services[name]

    def step(self, name: str, state: str, **changes: Any) -> None:
        """Record what was seen of a step and tell the subscribers."""
        known = self._steps.get(name) or StepStatus(name=name, state=state)
        self._steps[name] = known.model_copy(update={"state": state, **changes})
        self.publish("step", name, self._steps[name].model_dump(mode="json"))

    def notice(self, text: str) -> None:
        """Something the user should know, such as a replaced port."""
        self._notices.append(self.publish("notice", "", {"text": text}))

    def publish(self, kind: str, name: str = "", data: dict[str, Any] | None = None) -> Event:
        """Send one event to every subscriber."""
        event = Event(kind=kind, time=time.time(), name=name, data=data or {})
        for queue in list(self._subscribers):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._subscribers.discard(queue)
        return event

    def subscribe(self) -> Subscription:
        """What is known now as events, and a queue of all that follows; nothing is missed between the two.

        Of a stack that is stopping the only thing known is `busy`: wait, then start it anew.
        """
        now = time.time()
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_LIMIT)
        self._subscribers.add(queue)
        if self.stopping:
            return [Event(kind="busy", time=now)], queue
        snapshot = [
            *self._notices,
            *(
                Event(kind="service", time=now, name=s.name, data=s.model_dump(mode="json"))
                for s in self._services.values()
            ),
            *(Event(kind="step", time=now, name=s.name, data=s.model_dump(mode="json")) for s in self._steps.values()),
        ]
        if self.error is not None:
            snapshot.append(Event(kind="error", time=now, data=self.error.to_json()))
        elif self.ready:
            snapshot.append(Event(kind="ready", time=now, data=self.status().model_dump(mode="json", by_alias=True)))
        return snapshot, queue

    def close(self) -> None:
        """Tell every subscriber that nothing follows."""
        for queue in self._subscribers:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(None)

    def unsubscribe(self, queue: asyncio.Queue[Event | None]) -> None:
        """Stop sending to `queue`."""
        self._subscribers.discard(queue)
