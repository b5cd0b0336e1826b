"""What the engine says happens to a project's containers, as it happens: nothing is polled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from floe_dev.drivers.docker import PROJECT_LABEL, SERVICE_LABEL

#: What is listened to; of health checks the engine sends one event for each time it asks.
ACTIONS = ("start", "die", "oom", "pause", "unpause", "destroy")
#: Podman's words for some of them.
_PODMAN = {"died": "die", "remove": "destroy"}
#: Seconds before a stream that broke is asked for again.
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class ContainerEvent:
    """One thing that happened to the container of a service; `exit_code` where it died."""

    service: str
    container: str
    action: str
    exit_code: int | None = None


class EventStream:
    """Follows one project's events in a thread of its own until `close`."""

    def __init__(self, client: Any, project: str, tell: Callable[[ContainerEvent], None]) -> None:
        """`tell` is called in that thread."""
        self._client = client
        self._project = project
        self._tell = tell
        self._closed = threading.Event()
        self._stream: Any = None
        self._thread = threading.Thread(target=self._follow, name="container events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; returns at once."""
        self._closed.set()
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.close()

    def _follow(self) -> None:
        filters = {"type": "container", "label": f"{PROJECT_LABEL}={self._project}", "event": [*ACTIONS, *_PODMAN]}
        since = int(time.time())
        while not self._closed.is_set():
            # The engine may be restarted: then from where it broke off.
            with contextlib.suppress(Exception):
                self._stream = self._client.events(since=since, filters=filters, decode=True)
                for message in self._stream:
                    since = int(message.get("time", since))
                    event = _event(message)
                    if event is not None and not self._closed.is_set():
                        self._tell(event)
            self._closed.wait(_AGAIN_SECONDS)


def _event(message: dict[str, Any]) -> ContainerEvent | None:
    actor = message.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    service = attributes.get(SERVICE_LABEL)
    action = str(message.get("Action") or message.get("status") or "").split(":")[0]
    action = _PODMAN.get(action, action)
    if service is None or action not in ACTIONS:
        return None
    # Podman names it otherwise.
    code = attributes.get("exitCode", attributes.get("containerExitCode"))
    number = int(code) if code is not None and str(code).lstrip("-").isdigit() else None
    return ContainerEvent(service, str(actor.get("ID", "")), action, number)
