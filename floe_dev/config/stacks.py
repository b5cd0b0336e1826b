"""Stack files: a validated subset of the Compose Specification plus one `x-floe` block, into the inert Stack model."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from floe_dev.config import compose
from floe_dev.config.bundled import bundled
from floe_dev.config.circles import circle, waiting_circle
from floe_dev.config.compose import ContainerFile, without_extensions
from floe_dev.config.interpolation import MissingVariableError, interpolate
from floe_dev.config.validation import validate
from floe_dev.config.yaml_source import YamlSource, read_yaml
from floe_dev.errors import Code, FloeError
from floe_dev.model.base import Model
from floe_dev.model.layout import FLOE_FILE
from floe_dev.model.stack import Bind, DriverKind, Probe, RestartPolicy, Service, Stack


class ServiceExtension(Model):
    """`x-floe` of a service: what Compose has no word for."""

    driver: DriverKind | None = Field(default=None, description="Who starts it; with an image that is docker.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Preferred port of a process on 127.0.0.1; containers have `ports`."
    )
    probe: Probe | None = Field(
        default=None,
        description="When it counts as ready; without this and without a healthcheck, once it has lived for 1 s.",
    )
    data_version: str | None = Field(
        default=None, description="Format of the data in its volumes; a volume of another one is refused, not touched."
    )
    download: str | None = Field(
        default=None, description="About how much a pull of the image takes, such as `250m`; told before it begins."
    )
    telemetry: bool = Field(
        default=False, description="Whether lines of its output that begin with the character RS are telemetry."
    )
    restart: RestartPolicy = Field(default=RestartPolicy(), description="What happens when it ends on its own.")
    stop_grace_seconds: float = Field(default=5.0, ge=0, description="Seconds between SIGTERM and SIGKILL.")


class ServiceFile(ContainerFile):
    """One service in a stack file: keys of Compose, and `x-floe`."""

    x_floe: ServiceExtension = Field(
        default=ServiceExtension(), alias="x-floe", description="What Compose has no word for."
    )


class StackExtension(Model):
    """`x-floe` of the stack."""

    description: str = Field(default="", description="Shown where stacks are listed.")
    extends: str | None = Field(
        default=None, description="A stack whose services this one has as well; one of the same name takes its place."
    )
    catalog: str | None = Field(default=None, description="The service that answers the catalog API.")
    object_store: str | None = Field(default=None, description="The service that keeps the tables' objects.")
    database: str | None = Field(default=None, description="The PostgreSQL that also keeps Dagster's runs and events.")
    provision: bool = Field(default=False, description="Create catalog, namespaces, principals and grants.")


class StackFile(Model):
    """A whole stack file: a part of the Compose Specification, so that `docker compose -f` reads it too."""

    version: str | None = Field(default=None, description="Obsolete in Compose; ignored.")
    name: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9-]*$", description="Name of the stack; the file's if absent."
    )
    x_floe: StackExtension = Field(
        default=StackExtension(), alias="x-floe", description="What Compose has no word for."
    )
    volumes: dict[str, None] = Field(default_factory=dict, description="Named volumes of the services.")
    services: dict[str, ServiceFile] = Field(default_factory=dict, description="Services by name.")

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, data: Any) -> Any:
        return without_extensions(data)


def stack_files(project_root: Path | None) -> dict[str, Path]:
    """Every stack file by name; the project's own `stacks/` goes before the bundled one."""
    folders = [bundled("stacks")] + ([project_root / "stacks"] if project_root else [])
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def load_stack(name: str, project_root: Path | None = None, images: Mapping[str, str] | None = None) -> Stack:
    """The stack called `name`, or in the file of that path; `images` replaces images by service.

    Without `images` those in the project's floe.yaml count. Raises FloeError 1205 and those of reading YAML.
    """
    return _load(name, project_root, _project_images(project_root) if images is None else images, ())


def tables_of(name: str, project_root: Path | None = None) -> str:
    """The stack whose tables the stack called `name` has; its own where its file cannot be read any more."""
    try:
        return load_stack(name, project_root).tables
    except FloeError:
        return name


def _project_images(root: Path | None) -> dict[str, str]:
    """`images` of floe.yaml; what is wrong with that file is told where the project is loaded."""
    if root is None or not (root / FLOE_FILE).is_file():
        return {}
    data = read_yaml(root / FLOE_FILE).data
    images = data.get("images") if isinstance(data, dict) else None
    return {str(name): str(image) for name, image in images.items()} if isinstance(images, dict) else {}


def _load(name: str, project_root: Path | None, images: Mapping[str, str], extending: tuple[str, ...]) -> Stack:
    file = _find(name, project_root)
    source = read_yaml(file)
    parsed = validate(StackFile, source)
    extension = parsed.x_floe
    own_name = parsed.name or file.stem
    base = Stack(name=own_name, tables=own_name)
    if extension.extends is not None:
        if extension.extends in (*extending, name):
            raise FloeError(
                Code.INVALID_VALUE,
                f"the stack `{name}` extends itself",
                why=" -> ".join((*extending, name, extension.extends)),
                fix="take one `extends` out",
                where=source.where(("x-floe", "extends")),
            )
        base = _load(extension.extends, project_root, images, (*extending, name))
    own = {key: _service(key, service, parsed, source, images) for key, service in parsed.services.items()}
    services = {service.name: service for service in base.services} | own
    for key, service in own.items():
        for needed in service.depends_on:
            if needed not in services:
                raise FloeError(
                    Code.UNKNOWN_REFERENCE,
                    f"service `{key}` depends on `{needed}`, which is not in the stack",
                    why=f"its services are: {', '.join(services)}",
                    fix="correct `depends_on`",
                    where=source.where(("services", key, "depends_on")),
                )
    found = circle({service.name: service.depends_on for service in services.values()})
    if found:
        place = ("services", next(key for key in found if key in own), "depends_on")
        raise waiting_circle(found, source.where(place))
    return Stack(
        name=own_name,
        tables=base.tables,
        description=extension.description or base.description,
        catalog_service=extension.catalog or base.catalog_service,
        object_store_service=extension.object_store or base.object_store_service,
        database_service=extension.database or base.database_service,
        provision=extension.provision or base.provision,
        services=tuple(services.values()),
    )


def _find(name: str, project_root: Path | None) -> Path:
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
    return file


def _service(
    name: str, service: ServiceFile, parsed: StackFile, source: YamlSource, images: Mapping[str, str]
) -> Service:
    extension = service.x_floe
    driver = extension.driver or (DriverKind.DOCKER if service.image is not None else DriverKind.PROCESS)
    if (driver is DriverKind.DOCKER) != (service.image is not None):
        raise FloeError(
            Code.INVALID_VALUE,
            f"service `{name}` has an `image` and no container, or a container and no `image`",
            why="a container (`x-floe.driver: docker`) has an image, a process has none",
            fix="add the one that is missing, or take the other out",
            where=source.where(("services", name)),
        )
    volumes, binds = _mounts(name, service, parsed, source)
    published = dict(compose.port(entry) for entry in service.ports)
    container_port = next(iter(published), None)
    restart = extension.restart
    if service.restart == "no" and "restart" not in extension.model_fields_set:
        restart = RestartPolicy(enabled=False)
    grace = compose.seconds(service.stop_grace_period) if service.stop_grace_period else extension.stop_grace_seconds
    return Service(
        name=name,
        driver=driver,
        image=_image(name, service, source, images),
        entrypoint=compose.words(service.entrypoint),
        command=compose.words(service.command),
        environment=compose.variables(service.environment),
        container_port=container_port,
        port=published[container_port] if container_port is not None else extension.port,
        more_ports={inside: outside for inside, outside in published.items() if inside != container_port},
        volumes=volumes,
        data_version=extension.data_version,
        download_bytes=compose.size(extension.download) if extension.download is not None else None,
        binds=binds,
        tmpfs=(service.tmpfs,) if isinstance(service.tmpfs, str) else service.tmpfs,
        user=service.user,
        working_dir=service.working_dir,
        hostname=service.hostname,
        read_only=service.read_only,
        memory_bytes=compose.size(service.mem_limit) if service.mem_limit is not None else None,
        init=service.init,
        telemetry=extension.telemetry,
        healthcheck=service.healthcheck.command() if service.healthcheck is not None else (),
        depends_on=tuple(service.depends_on),
        probe=extension.probe,
        restart=restart,
        stop_grace_seconds=grace,
    )


def _mounts(
    name: str, service: ServiceFile, parsed: StackFile, source: YamlSource
) -> tuple[dict[str, str], tuple[Bind, ...]]:
    named, binds = {}, []
    for entry in service.volumes:
        mount = compose.volume(entry)
        if mount.type == "bind":
            path = (source.file.parent / Path(mount.source).expanduser()).resolve()
            binds.append(Bind(source=str(path), target=mount.target, read_only=mount.read_only))
            continue
        if mount.source not in parsed.volumes:
            raise FloeError(
                Code.INVALID_VALUE,
                f"service `{name}` has a volume `{mount.source}` that the file does not declare",
                why="the name of a volume is listed under `volumes` of the file",
                fix=f"add `{mount.source}:` under `volumes`",
                where=source.where(("services", name, "volumes")),
            )
        named[mount.source] = mount.target
    return named, tuple(binds)


def _image(name: str, service: ServiceFile, source: YamlSource, images: Mapping[str, str]) -> str | None:
    """The image, or the one that the variable `FLOE_IMAGE_<SERVICE>`, or else `images`, puts in its place."""
    if service.image is None:
        return None
    override = os.environ.get(f"FLOE_IMAGE_{name.upper().replace('-', '_')}") or images.get(name)
    if override:
        return override
    try:
        return interpolate(service.image, os.environ)
    except MissingVariableError as error:
        raise FloeError(
            Code.INVALID_VALUE,
            f"the image of service `{name}` is not known",
            why=str(error),
            fix="set the variable, or give it a default: ${NAME:-image}",
            where=source.where(("services", name, "image")),
        ) from None
