"""One service in a container, through the Docker SDK: started, followed, stopped, found again by its labels.

Every function blocks; the supervisor calls them in threads. Nothing without this project's label is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from floe_dev.drivers.engine import connect, gone
from floe_dev.drivers.logs import open_log
from floe_dev.drivers.ports import LOOPBACK
from floe_dev.drivers.refusals import (
    image_missing,
    network_clash,
    network_refused,
    start_refused,
    wrong_architecture,
)
from floe_dev.errors import Code, FloeError
from floe_dev.model.stack import Bind

__all__ = ["ContainerSpec", "connect", "ensure_network", "follow", "start", "stop", "sweep", "wait"]

PROJECT_LABEL = "dev.floe.project"
INSTANCE_LABEL = "dev.floe.instance"
SERVICE_LABEL = "dev.floe.service"
#: On a volume: the format of the data in it.
DATA_LABEL = "dev.floe.data-version"


@dataclass(frozen=True)
class ContainerSpec:
    """What one container is made of; `ports` maps a container's port to the one on 127.0.0.1."""

    project: str
    instance: str
    service: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ports: Mapping[int, int]
    #: Path in the container by volume name; the volumes outlive the container.
    volumes: Mapping[str, str]
    #: The project's network, where the container is found by its service's name; None: the engine's default one.
    network: str | None = None
    entrypoint: Sequence[str] = ()
    binds: Sequence[Bind] = ()
    tmpfs: Sequence[str] = ()
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    read_only: bool = False
    memory_bytes: int | None = None
    init: bool = False
    data_version: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The container's name, one for each project and service."""
        return container_name(self.project, self.service)


def container_name(project: str, service: str) -> str:
    """The container of a project's service."""
    return f"floe-{project}-{service}"


def network_name(project: str) -> str:
    """The network of a project's containers."""
    return f"floe-{project}"


def ensure_network(client: Any, project: str) -> str:
    """The project's network, made where it is not there yet; its name.

    Raises FloeError 2322 (another's network has the name), 2304, 2301.
    """
    from docker.errors import APIError, DockerException

    name = network_name(project)
    try:
        # The filter also finds names that merely contain it.
        there = [network for network in client.networks.list(names=[name]) if network.name == name]
        if not there:
            client.networks.create(name, driver="bridge", labels={PROJECT_LABEL: project}, check_duplicate=True)
        elif (there[0].attrs.get("Labels") or {}).get(PROJECT_LABEL) != project:
            raise network_clash(name)
    except APIError as error:
        raise network_refused(name, str(error.explanation or error)) from error
    except (DockerException, OSError) as error:
        raise gone(error) from error
    return name


def has_image(client: Any, image: str) -> bool:
    """Whether the engine has the image; raises FloeError 2301."""
    from docker.errors import DockerException, ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    except (DockerException, OSError) as error:
        raise gone(error) from error
    return True


def remove_others(client: Any, project: str, instance: str) -> None:
    """Remove the project's containers of every start but `instance`: a killed supervisor's, another stack's."""
    from docker.errors import NotFound

    for container in client.containers.list(all=True, filters={"label": _labels(project)}, ignore_removed=True):
        if container.labels.get(INSTANCE_LABEL) != instance:
            with contextlib.suppress(NotFound):
                container.remove(force=True)


def remove_network(client: Any, project: str) -> None:
    """Remove the project's network; one that is gone, or that somebody else's container is in, is no error."""
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        for network in client.networks.list(filters={"label": _labels(project)}):
            network.remove()


def start(client: Any, spec: ContainerSpec) -> Any:
    """Start the container, in place of an older one of the same project and service.

    Raises FloeError 2303 (no such image here), 2321 (it is for another processor), 2323 (a volume of another version),
    2325 (port taken), 2322 (name taken), 9101 (disk full), 2304 (the engine refuses), 2301 (it is gone).
    """
    from docker.errors import APIError, DockerException, ImageNotFound

    try:
        _demand_image(client, spec)
        for old in client.containers.list(all=True, filters={"label": _labels(spec.project, spec.service)}):
            old.remove(force=True)
        _make_volumes(client, spec)
        return client.containers.run(**_arguments(client, spec))
    except ImageNotFound as error:
        raise image_missing(spec.image, spec.service) from error
    except APIError as error:
        refused = start_refused(spec.service, spec.name, spec.image, str(error.explanation or error))
        # One that was made and could not be started would hold its name and its ports' claims.
        with contextlib.suppress(DockerException, OSError):
            for left in client.containers.list(all=True, filters={"label": _labels(spec.project, spec.service)}):
                left.remove(force=True)
        raise refused from error
    except (DockerException, OSError) as error:
        raise gone(error) from error


def _arguments(client: Any, spec: ContainerSpec) -> dict[str, Any]:
    mounts = {name: {"bind": path, "mode": "rw"} for name, path in spec.volumes.items()}
    mounts |= {bind.source: {"bind": bind.target, "mode": "ro" if bind.read_only else "rw"} for bind in spec.binds}
    arguments: dict[str, Any] = {
        "image": spec.image,
        "command": list(spec.command) or None,
        "name": spec.name,
        "detach": True,
        "environment": dict(spec.environment),
        "labels": {
            **spec.labels,
            PROJECT_LABEL: spec.project,
            INSTANCE_LABEL: spec.instance,
            SERVICE_LABEL: spec.service,
        },
        "ports": {f"{inside}/tcp": (LOOPBACK, outside) for inside, outside in spec.ports.items()},
        "volumes": mounts,
        "tmpfs": dict.fromkeys(spec.tmpfs, ""),
        "user": spec.user,
        "working_dir": spec.working_dir,
        "hostname": spec.hostname,
        "read_only": spec.read_only,
        "mem_limit": spec.memory_bytes,
        "init": spec.init or None,
        "security_opt": ["no-new-privileges"],
    }
    if spec.entrypoint:
        arguments["entrypoint"] = list(spec.entrypoint)
    if spec.network is not None:
        arguments["network"] = spec.network
        arguments["networking_config"] = {
            spec.network: client.api.create_endpoint_config(aliases=[spec.service]),
        }
    return arguments


def _demand_image(client: Any, spec: ContainerSpec) -> None:
    """The image is here and for this processor; nothing is pulled, that is its own step."""
    image = client.images.get(spec.image)
    has, wanted = _architecture(image.attrs.get("Architecture")), _architecture(client.version().get("Arch"))
    if has and wanted and has != wanted:
        raise wrong_architecture(spec.image, spec.service, has, wanted)


def _architecture(name: str | None) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(name or "", name or "")


def _make_volumes(client: Any, spec: ContainerSpec) -> None:
    from docker.errors import NotFound

    for name in spec.volumes:
        try:
            known = client.volumes.get(name).attrs.get("Labels") or {}
        except NotFound:
            labels = {PROJECT_LABEL: spec.project, SERVICE_LABEL: spec.service}
            if spec.data_version is not None:
                labels[DATA_LABEL] = spec.data_version
            client.volumes.create(name=name, labels=labels)
            continue
        held = known.get(DATA_LABEL)
        # A volume without the mark was made before there were marks, or by hand: the service finds out itself.
        if spec.data_version is not None and held is not None and held != spec.data_version:
            raise FloeError(
                Code.VOLUME_VERSION,
                f"the data of `{spec.service}` are from version {held}, and it is version {spec.data_version} now",
                why=f"the volume `{name}` was left as it is",
                fix=f"to read them, a stack of your own that extends this one, its `{spec.service}` as it was (image, "
                f'PGDATA or the like, x-floe.data_version: "{held}"); to begin anew, floe down --volumes',
            )


def follow(container: Any, log: Path, keep: Callable[[bytes], bytes] = bytes) -> None:
    """Copy what `keep` leaves of the container's output to `log`, in a thread that ends with the container."""

    def copy() -> None:
        descriptor = open_log(log)
        # The engine may go away, or the container: then there is nothing more to copy.
        with contextlib.suppress(Exception):
            for chunk in container.logs(stream=True, follow=True):
                os.write(descriptor, keep(chunk))
        os.close(descriptor)

    threading.Thread(target=copy, name=f"log of {container.name}", daemon=True).start()


def wait(container: Any) -> int:
    """Until the container ends; its exit code, -9 where it was removed or the engine went away."""
    try:
        return int(container.wait(timeout=None)["StatusCode"])
    except Exception:  # noqa: BLE001 - requests' and urllib3's many kinds all mean: it is gone
        return -9


def ran_out_of_memory(container: Any) -> bool:
    """Whether the kernel ended it for its memory limit; False where it is gone."""
    try:
        container.reload()
        return bool(container.attrs["State"].get("OOMKilled"))
    except Exception:  # noqa: BLE001 - as above
        return False


def stop(container: Any, seconds: float) -> None:
    """SIGTERM, SIGKILL after `seconds`, and remove it; one that is gone is no error. Its volumes stay."""
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        container.stop(timeout=max(0, round(seconds)))
    with contextlib.suppress(DockerException, OSError):
        container.remove(force=True)


def sweep(project: str, *, volumes: bool = False) -> list[str]:
    """Remove every container and network of the project, with `volumes` their data too; the names of what was removed.

    Raises FloeError 2301 or 2302 where the engine does not answer.
    """
    from docker.errors import DockerException, NotFound

    client = connect()
    removed = []
    mine = {"label": _labels(project)}
    for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
        with contextlib.suppress(NotFound):
            container.remove(force=True)
            removed.append(container.name)
    for network in client.networks.list(filters=mine):
        # Somebody may have put a container of theirs into it: then it stays.
        with contextlib.suppress(DockerException):
            network.remove()
            removed.append(network.name)
    for volume in client.volumes.list(filters=mine) if volumes else ():
        with contextlib.suppress(NotFound):
            volume.remove(force=True)
            removed.append(volume.name)
    return removed


def _labels(project: str, service: str | None = None) -> list[str]:
    return [f"{PROJECT_LABEL}={project}", *([f"{SERVICE_LABEL}={service}"] if service else [])]
