"""Stack files: a validated subset of the Compose Specification plus one `x-floe` block, into the inert Stack model."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pydantic import Field

from floe_dev.config.bundled import bundled
from floe_dev.config.validation import validate
from floe_dev.config.yaml_source import YamlSource, read_yaml
from floe_dev.errors import Code, FloeError
from floe_dev.model.base import Model
from floe_dev.model.stack import DriverKind, Probe, RestartPolicy, Service, Stack


class ServiceExtension(Model):
    """`x-floe` of a service: what Compose has no word for."""

    driver: DriverKind = Field(default=DriverKind.PROCESS, description="Who starts the service.")
    container_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port the container listens on, published as `port`."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="Preferred port on 127.0.0.1.")
    probe: Probe | None = Field(default=None, description="When the service counts as ready.")
    restart: RestartPolicy = Field(default=RestartPolicy(), description="What happens when it ends on its own.")
    stop_grace_seconds: float = Field(default=5.0, ge=0, description="Seconds between SIGTERM and SIGKILL.")


class ServiceFile(Model):
    """One service in a stack file."""

    image: str | None = Field(default=None, description="The container's image, for the docker driver.")
    volumes: tuple[str, ...] = Field(default=(), description="`name:/path/in/the/container` of each named volume.")
    command: tuple[str, ...] = Field(default=(), description="Program and arguments; placeholders are filled in.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="Variables of the process; placeholders are filled in."
    )
    depends_on: tuple[str, ...] = Field(default=(), description="Services that have to be ready before.")
    x_floe: ServiceExtension = Field(
        default=ServiceExtension(), alias="x-floe", description="What Compose has no word for."
    )


class StackExtension(Model):
    """`x-floe` of the stack."""

    description: str = Field(default="", description="Shown where stacks are listed.")
    catalog: str | None = Field(default=None, description="The service that answers the catalog API.")
    object_store: str | None = Field(default=None, description="The service that keeps the tables' objects.")
    provision: bool = Field(default=False, description="Create catalog, namespaces, principals and grants.")


class StackFile(Model):
    """A whole stack file."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", description="Name of the stack.")
    x_floe: StackExtension = Field(
        default=StackExtension(), alias="x-floe", description="What Compose has no word for."
    )
    volumes: dict[str, None] = Field(default_factory=dict, description="Named volumes of the services.")
    services: dict[str, ServiceFile] = Field(default_factory=dict, description="Services by name.")


def stack_files(project_root: Path | None) -> dict[str, Path]:
    """Every stack file by name; the project's own `stacks/` goes before the bundled one."""
    folders = [bundled("stacks")] + ([project_root / "stacks"] if project_root else [])
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def _check_container(name: str, service: ServiceFile, parsed: StackFile, source: YamlSource) -> None:
    if (service.x_floe.driver is DriverKind.DOCKER) != (service.image is not None):
        raise FloeError(
            Code.INVALID_VALUE,
            f"service `{name}` needs both `image` and `x-floe.driver: docker`, or neither",
            why="a container has an image, a process has none",
            fix="add the one that is missing",
            where=source.where(("services", name)),
        )
    for text in service.volumes:
        volume, path = _volume(text)
        if volume not in parsed.volumes or not path.startswith("/"):
            raise FloeError(
                Code.INVALID_VALUE,
                f"service `{name}` has a volume `{text}` that floe does not understand",
                why="a volume is `name:/path`, and its name is listed under `volumes` of the file",
                fix="correct `volumes`",
                where=source.where(("services", name, "volumes")),
            )


def _volume(text: str) -> tuple[str, str]:
    name, _, path = text.partition(":")
    return name, path


def _image(name: str, service: ServiceFile) -> str | None:
    """The image, or the one that the variable `FLOE_IMAGE_<SERVICE>` puts in its place."""
    if service.image is None:
        return None
    return os.environ.get(f"FLOE_IMAGE_{name.upper().replace('-', '_')}") or service.image


def load_stack(name: str, project_root: Path | None = None) -> Stack:
    """The stack called `name`, or in the file of that path; raises FloeError 1205 and those of reading YAML."""
    files = stack_files(project_root)
    file = files.get(name) or (Path(name) if name.endswith((".yaml", ".yml")) else None)
    if file is None:
        near = difflib.get_close_matches(name, list(files), n=1, cutoff=0.4)
        raise FloeError(
            Code.UNKNOWN_STACK,
            f"there is no stack `{name}`",
            why=f"the stacks known here are: {', '.join(sorted(files))}",
            fix=f"--stack {near[0]}" if near else "put its file into the project's stacks/ folder",
        )
    source = read_yaml(file)
    parsed = validate(StackFile, source)
    for service_name, service in parsed.services.items():
        _check_container(service_name, service, parsed, source)
        for needed in service.depends_on:
            if needed not in parsed.services:
                raise FloeError(
                    Code.UNKNOWN_REFERENCE,
                    f"service `{service_name}` depends on `{needed}`, which is not in the stack",
                    why=f"its services are: {', '.join(parsed.services)}",
                    fix="correct `depends_on`",
                    where=source.where(("services", service_name, "depends_on")),
                )
    return Stack(
        name=parsed.name,
        description=parsed.x_floe.description,
        catalog_service=parsed.x_floe.catalog,
        object_store_service=parsed.x_floe.object_store,
        provision=parsed.x_floe.provision,
        services=tuple(
            Service(
                name=service_name,
                driver=service.x_floe.driver,
                image=_image(service_name, service),
                container_port=service.x_floe.container_port,
                volumes=dict(_volume(text) for text in service.volumes),
                command=service.command,
                environment=service.environment,
                port=service.x_floe.port,
                depends_on=service.depends_on,
                probe=service.x_floe.probe,
                restart=service.x_floe.restart,
                stop_grace_seconds=service.x_floe.stop_grace_seconds,
            )
            for service_name, service in parsed.services.items()
        ),
    )
