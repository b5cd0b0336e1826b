"""One service in a container, through the Docker SDK: started, followed, stopped, found again by its labels.

Every function blocks; the supervisor calls them in threads. Nothing without this project's label is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.drivers.logs import open_log
from floe_dev.drivers.ports import LOOPBACK
from floe_dev.errors import Code, FloeError

PROJECT_LABEL = "dev.floe.project"
INSTANCE_LABEL = "dev.floe.instance"
SERVICE_LABEL = "dev.floe.service"
#: What the names of images begin with that are made here and published nowhere.
OWN_IMAGES = "floe/"
#: Seconds for one answer of the engine.
ENGINE_SECONDS = 30


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

    @property
    def name(self) -> str:
        """The container's name, one for each project and service."""
        return f"floe-{self.project}-{self.service}"


def connect() -> Any:
    """The engine that DOCKER_HOST or the default socket names; raises FloeError 2301 or 2302."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=ENGINE_SECONDS)
        client.ping()
    except (DockerException, OSError) as error:
        raise _no_engine(error) from error
    return client


def start(client: Any, spec: ContainerSpec) -> Any:
    """Start the container, in place of an older one of the same project and service.

    Raises FloeError 2303 (no such image here), 2304 (the engine refuses), 2302 (it is gone).
    """
    from docker.errors import APIError, DockerException, ImageNotFound

    _demand_own_image(client, spec)
    labels = {PROJECT_LABEL: spec.project, INSTANCE_LABEL: spec.instance, SERVICE_LABEL: spec.service}
    try:
        for old in client.containers.list(all=True, filters={"label": _labels(spec.project, spec.service)}):
            old.remove(force=True)
        for volume in spec.volumes:
            client.volumes.create(name=volume, labels={PROJECT_LABEL: spec.project})
        return client.containers.run(
            spec.image,
            list(spec.command) or None,
            name=spec.name,
            detach=True,
            environment=dict(spec.environment),
            labels=labels,
            ports={f"{inside}/tcp": (LOOPBACK, outside) for inside, outside in spec.ports.items()},
            volumes={name: {"bind": path, "mode": "rw"} for name, path in spec.volumes.items()},
            security_opt=["no-new-privileges"],
        )
    except ImageNotFound as error:
        raise FloeError(
            Code.IMAGE_MISSING,
            f"the image `{spec.image}` is not on this machine",
            why=f"the service `{spec.service}` runs in it, and the engine could not pull it: {error.explanation}",
            fix=f"docker pull {spec.image}",
        ) from error
    except APIError as error:
        raise FloeError(
            Code.ENGINE_REFUSED,
            f"the engine does not start `{spec.service}`",
            why=str(error.explanation or error),
            fix="floe doctor",
        ) from error
    except (DockerException, OSError) as error:
        raise _no_engine(error) from error


def _demand_own_image(client: Any, spec: ContainerSpec) -> None:
    """Floe's own images are published nowhere: asking a registry for one would only take time."""
    from docker.errors import DockerException, ImageNotFound

    if not spec.image.startswith(OWN_IMAGES):
        return
    try:
        client.images.get(spec.image)
    except ImageNotFound as error:
        raise FloeError(
            Code.IMAGE_MISSING,
            f"the image `{spec.image}` is not on this machine",
            why=f"the service `{spec.service}` runs in it, and it is published nowhere",
            fix="floe images build",
        ) from error
    except (DockerException, OSError) as error:
        raise _no_engine(error) from error


def follow(container: Any, log: Path) -> None:
    """Copy the container's output to `log`, in a thread that ends with the container."""

    def copy() -> None:
        descriptor = open_log(log)
        # The engine may go away, or the container: then there is nothing more to copy.
        with contextlib.suppress(Exception):
            for chunk in container.logs(stream=True, follow=True):
                os.write(descriptor, chunk)
        os.close(descriptor)

    threading.Thread(target=copy, name=f"log of {container.name}", daemon=True).start()


def wait(container: Any) -> int:
    """Until the container ends; its exit code, -9 where it was removed or the engine went away."""
    try:
        return int(container.wait(timeout=None)["StatusCode"])
    except Exception:  # noqa: BLE001 - requests' and urllib3's many kinds all mean: it is gone
        return -9


def stop(container: Any, seconds: float) -> None:
    """SIGTERM, SIGKILL after `seconds`, and remove it; one that is gone is no error. Its volumes stay."""
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, OSError):
        container.stop(timeout=max(0, round(seconds)))
    with contextlib.suppress(DockerException, OSError):
        container.remove(force=True)


def sweep(project: str, *, volumes: bool = False) -> list[str]:
    """Remove every container of the project, with `volumes` their data too; the names of what was removed.

    Raises FloeError 2301 or 2302 where the engine does not answer.
    """
    from docker.errors import NotFound

    client = connect()
    removed = []
    for container in client.containers.list(all=True, filters={"label": _labels(project)}):
        with contextlib.suppress(NotFound):
            container.remove(force=True)
            removed.append(container.name)
    for volume in client.volumes.list(filters={"label": _labels(project)}) if volumes else ():
        with contextlib.suppress(NotFound):
            volume.remove(force=True)
            removed.append(volume.name)
    return removed


def _labels(project: str, service: str | None = None) -> list[str]:
    return [f"{PROJECT_LABEL}={project}", *([f"{SERVICE_LABEL}={service}"] if service else [])]


def _no_engine(error: Exception) -> FloeError:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        return FloeError(
            Code.ENGINE_DENIED,
            "the Docker engine's socket is closed to this user",
            why=text,
            fix="sudo usermod -aG docker $USER && newgrp docker",
        )
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return FloeError(
        Code.NO_ENGINE,
        "no Docker engine answers",
        why=f"{host}: {text}",
        fix="start Docker, or take the stack that needs none: floe up --stack embedded",
    )
