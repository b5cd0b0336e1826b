"""What was observed of a running stack, and the events the supervisor sends while it changes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from floe_dev.model.base import Model

SCHEMA_VERSION = 1


class ServiceState(StrEnum):
    """The life of a service as observed."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    #: It was ready, lives, and does not answer.
    HUNG = "hung"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Health(StrEnum):
    """Computed from status, never set."""

    HEALTHY = "healthy"
    PENDING = "pending"
    UNHEALTHY = "unhealthy"


class ServiceStatus(Model):
    """One service as last seen; times are seconds since the epoch."""

    name: str
    state: ServiceState
    pid: int | None = None
    port: int | None = None
    url: str | None = None
    #: What its probe asks, where that is a page: it may have a port of its own, and the root of an API is often none.
    health_url: str | None = None
    started_at: float | None = None
    ready_at: float | None = None
    restarts: int = 0
    #: Why it is not ready: the last probe's answer, the exit status, the port that was taken and by whom.
    reason: str | None = None
    #: Why it ended the last time that it did so on its own; kept when it is ready again.
    last_end: str | None = None
    log: str | None = None
    #: The container's name, where it runs in one.
    container: str | None = None

    @property
    def health(self) -> Health:
        """Healthy only when ready; hung, failed and stopped are unhealthy."""
        if self.state is ServiceState.READY:
            return Health.HEALTHY
        if self.state in (ServiceState.HUNG, ServiceState.FAILED, ServiceState.STOPPED):
            return Health.UNHEALTHY
        return Health.PENDING


class StepStatus(Model):
    """A one-shot of start-up (provision, manifest, readiness, first run) with its duration in seconds."""

    name: str
    state: str  # waiting | running | done | failed | skipped
    started_at: float | None = None
    seconds: float | None = None
    detail: str | None = None


class StackStatus(Model):
    """A whole stack as last seen: what `floe status --json` prints."""

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schemaVersion")
    project: str
    stack: str
    instance: str
    supervisor_pid: int | None = None
    ready: bool = False
    started_at: float | None = None
    services: tuple[ServiceStatus, ...] = ()
    steps: tuple[StepStatus, ...] = ()
    urls: dict[str, str] = Field(default_factory=dict)


class Event(Model):
    """One line of the supervisor's event stream (newline-delimited JSON on its socket)."""

    #: service | step | notice | progress | ready | error | stopped
    kind: str
    time: float
    name: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
