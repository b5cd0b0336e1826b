"""A stack and its services as declared: inert data, nothing observed, nothing started."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from floe_dev.model.base import Model


class DriverKind(StrEnum):
    """Who starts a service."""

    PROCESS = "process"
    DOCKER = "docker"
    EXTERNAL = "external"


class Probe(Model):
    """A readiness check: GET `path` on the service's port must answer `status` and contain `expect`.

    Without a path a TCP connection is enough.
    """

    path: str | None = "/"
    status: int = 200
    expect: str | None = None
    #: Header whose value must be this stack's instance id, so that another project's service is never taken for ours.
    instance_header: str | None = None


class RestartPolicy(Model):
    """What happens when a process ends on its own.

    It is started again after `delay_seconds`, doubled each time up to `max_delay_seconds`; after `max_restarts` within
    `window_seconds` it is given up.
    """

    enabled: bool = True
    delay_seconds: float = 0.25
    max_delay_seconds: float = 10.0
    max_restarts: int = 8
    window_seconds: float = 120.0


class Service(Model):
    """One declared service.

    In `command` and `environment`, `{python}`, `{port}`, `{root}`, `{state}` and `{port:NAME}` are filled in at start.
    """

    name: str
    driver: DriverKind = DriverKind.PROCESS
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    #: Preferred port on 127.0.0.1; another one is taken, remembered and told if it is in use. None: it listens nowhere.
    port: int | None = None
    depends_on: tuple[str, ...] = ()
    probe: Probe | None = None
    restart: RestartPolicy = RestartPolicy()
    stop_grace_seconds: float = 5.0
    #: Where it can be, fork `{python} -m MODULE …` from the fork server once that has loaded the module named here.
    fork_after: str | None = None


class Stack(Model):
    """A stack as declared by a file in stacks/: its services, and which of them answers the catalog API."""

    name: str
    description: str = ""
    services: tuple[Service, ...] = ()
    #: The service that answers Polaris's catalog and management API; None where platform.yaml names a remote one.
    catalog_service: str | None = None
    #: Whether floe creates catalog, namespaces, principals and grants.
    provision: bool = False
