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

    path: str | None = Field(default="/", description="Path of the GET; a TCP connection is enough where it is null.")
    container_port: int | None = Field(
        default=None, ge=1, le=65535, description="The published container port that is asked; the first one if absent."
    )
    status: int = Field(default=200, description="HTTP status of a ready service.")
    expect: str | None = Field(default=None, description="Text that the answer has to contain.")
    instance_header: str | None = Field(
        default=None,
        description=(
            "Header whose value must be this stack's instance id, "
            "so that another project's service is never taken for ours."
        ),
    )


class RestartPolicy(Model):
    """What happens when a process ends on its own.

    It is started again after `delay_seconds`, doubled each time up to `max_delay_seconds`; after `max_restarts` within
    `window_seconds` it is given up.
    """

    enabled: bool = Field(default=True, description="Whether it is started again.")
    delay_seconds: float = Field(default=0.25, description="Seconds before the first restart.")
    max_delay_seconds: float = Field(default=10.0, description="Longest delay in seconds.")
    max_restarts: int = Field(default=8, description="Restarts within the window before it is given up.")
    window_seconds: float = Field(default=120.0, description="Length of the window in seconds.")


class Bind(Model):
    """A file or folder of this machine in a container."""

    source: str
    target: str
    read_only: bool = False


class Service(Model):
    """One declared service.

    In `command` and `environment`, `{python}`, `{port}`, `{root}`, `{state}` and `{port:NAME}` are filled in at start,
    and the stack's secrets as `${NAME}`.
    """

    name: str
    driver: DriverKind = DriverKind.PROCESS
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    #: The container's image, for the docker driver.
    image: str | None = None
    #: About how much a pull of the image takes, so that it can be said before.
    download_bytes: int | None = None
    #: In place of the image's own entrypoint; empty leaves that.
    entrypoint: tuple[str, ...] = ()
    #: The port that the container listens on; on 127.0.0.1 it is published as `port`.
    container_port: int | None = None
    #: Further ports of the container, and the preferred one of each on 127.0.0.1.
    more_ports: dict[int, int] = Field(default_factory=dict)
    #: Path in the container by name of the volume, which outlives the container.
    volumes: dict[str, str] = Field(default_factory=dict)
    #: The format that this service's volumes are kept in; a volume of another one is refused.
    data_version: str | None = None
    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[str, ...] = ()
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    read_only: bool = False
    memory_bytes: int | None = None
    init: bool = False
    #: Whether the container's output carries telemetry beside its log.
    telemetry: bool = False
    #: Run in the container until it succeeds: the service is ready then. Empty: there is no such check.
    healthcheck: tuple[str, ...] = ()
    #: Preferred port on 127.0.0.1; another one is taken, remembered and told if it is in use. None: it listens nowhere.
    port: int | None = None
    depends_on: tuple[str, ...] = ()
    probe: Probe | None = None
    restart: RestartPolicy = RestartPolicy()
    stop_grace_seconds: float = 5.0
    #: Without a probe or a healthcheck all there is to see is that it lives: so long, and it counts as ready.
    settle_seconds: float = 1.0
    #: Where it can be, fork `{python} -m MODULE …` from the fork server once that has loaded the module named here.
    fork_after: str | None = None

    def port_key(self, container_port: int | None = None) -> str:
        """The name under which a published port is chosen and remembered: the service's, unless it is a further one."""
        return f"{self.name}/{container_port}" if container_port in self.more_ports else self.name

    def wanted_ports(self) -> dict[str, int]:
        """Every port that the service listens on, by its name, as preferred."""
        own = {self.name: self.port} if self.port is not None else {}
        return own | {self.port_key(inside): outside for inside, outside in self.more_ports.items()}


class Stack(Model):
    """A stack as declared by a file in stacks/: its services, and which of them answers the catalog API."""

    name: str
    #: The stack whose tables it has: the one that it extends, else its own. Its containers' volumes are named by it.
    tables: str
    description: str = ""
    services: tuple[Service, ...] = ()
    #: The service that answers Polaris's catalog and management API; None where platform.yaml names a remote one.
    catalog_service: str | None = None
    #: The service that keeps the objects (MinIO); None where tables are files on this machine.
    object_store_service: str | None = None
    #: The PostgreSQL that keeps Dagster's runs and events; None where they are in SQLite.
    database_service: str | None = None
    #: Whether floe creates catalog, namespaces, principals and grants.
    provision: bool = False
