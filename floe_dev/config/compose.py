"""The part of the Compose Specification that a stack file may use, and what it means here.

Short and long forms are taken as Compose takes them; what floe cannot do is an unknown key, never ignored in silence.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from floe_dev.model.base import Model

Scalar = str | bool | int | float
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def without_extensions(data: Any) -> Any:
    """A mapping without Compose's `x-…` keys, which are for other tools and for YAML anchors; ours stays."""
    if not isinstance(data, dict):
        return data
    return {key: value for key, value in data.items() if not str(key).startswith("x-") or key == "x-floe"}


class HealthcheckFile(Model):
    """Compose's healthcheck. floe runs `test` itself, and more often than the engine would."""

    test: str | tuple[str, ...] = Field(description="`[CMD, …]`, `[CMD-SHELL, text]`, text for a shell, or `[NONE]`.")
    interval: str | None = Field(default=None, description="For Compose; floe asks more often.")
    timeout: str | None = Field(default=None, description="For Compose.")
    retries: int | None = Field(default=None, description="For Compose.")
    start_period: str | None = Field(default=None, description="For Compose.")
    start_interval: str | None = Field(default=None, description="For Compose.")
    disable: bool = Field(default=False, description="Whether the check is left out.")

    def command(self) -> tuple[str, ...]:
        """What to run in the container; empty where there is no check."""
        if self.disable or self.test in (("NONE",), "NONE"):
            return ()
        if isinstance(self.test, str):
            return ("/bin/sh", "-c", self.test)
        match self.test:
            case ("CMD", *words):
                return tuple(words)
            case ("CMD-SHELL", text):
                return ("/bin/sh", "-c", text)
        return self.test


class DependencyFile(Model):
    """What has to be true of another service before this one starts."""

    condition: Literal["service_started", "service_healthy"] = Field(
        default="service_healthy", description="floe always waits until it is ready."
    )
    restart: bool = Field(default=False, description="For Compose.")
    required: bool = Field(default=True, description="For Compose.")


class PortFile(Model):
    """One published port in the long form."""

    target: int = Field(ge=1, le=65535, description="Port in the container.")
    published: str | int | None = Field(default=None, description="Preferred port on 127.0.0.1.")
    host_ip: str | None = Field(default=None, description="Only 127.0.0.1: nothing listens beyond this machine.")
    protocol: Literal["tcp"] = Field(default="tcp", description="TCP.")
    name: str | None = Field(default=None, description="For Compose.")
    app_protocol: str | None = Field(default=None, description="For Compose.")
    mode: str | None = Field(default=None, description="For Compose.")


class VolumeFile(Model):
    """One mount in the long form."""

    type: Literal["volume", "bind"] = Field(default="volume", description="A named volume, or a path of this machine.")
    source: str = Field(description="Name of the volume, or the path, relative to the stack file.")
    target: str = Field(description="Path in the container.")
    read_only: bool = Field(default=False, description="Whether the container may only read it.")


class ContainerFile(Model):
    """What Compose says of a service; `x-floe` comes on top of it."""

    image: str | None = Field(default=None, description="The container's image; `${NAME:-default}` is filled in.")
    entrypoint: str | tuple[str, ...] | None = Field(default=None, description="In place of the image's own.")
    command: str | tuple[str, ...] = Field(
        default=(), description="Program and arguments; placeholders and `${NAME}` are filled in."
    )
    environment: dict[str, Scalar | None] | tuple[str, ...] = Field(
        default_factory=dict, description="Variables; placeholders and `${NAME}` are filled in. Without a value: ours."
    )
    ports: tuple[str | int | PortFile, ...] = Field(
        default=(), description="Published on 127.0.0.1; the first one is the service's own."
    )
    expose: tuple[str | int, ...] = Field(default=(), description="For Compose: in the network every port is open.")
    volumes: tuple[str | VolumeFile, ...] = Field(
        default=(), description="`name:/path` of a named volume, or `./path:/path[:ro]` of a file or folder."
    )
    tmpfs: str | tuple[str, ...] = Field(default=(), description="Paths in the container that are kept in memory.")
    depends_on: tuple[str, ...] | dict[str, DependencyFile] = Field(
        default=(), description="Services that have to be ready before."
    )
    healthcheck: HealthcheckFile | None = Field(default=None, description="A check that runs in the container.")
    restart: str | None = Field(default=None, description="`no` leaves it down when it ends; else see `x-floe`.")
    stop_grace_period: str | None = Field(default=None, description="Time between SIGTERM and SIGKILL, such as `10s`.")
    user: str | None = Field(default=None, description="User in the container.")
    working_dir: str | None = Field(default=None, description="Folder in the container.")
    hostname: str | None = Field(default=None, description="Its name for itself; the others find it by the service's.")
    read_only: bool = Field(default=False, description="Whether its own file system may only be read.")
    mem_limit: str | int | None = Field(default=None, description="Most memory it may take, such as `512m`.")
    labels: dict[str, Scalar] | tuple[str, ...] = Field(default_factory=dict, description="For other tools.")
    init: bool = Field(default=False, description="Whether the engine's init is its first process.")

    @field_validator("ports")
    @classmethod
    def _ports_are_understood(cls, ports: tuple[str | int | PortFile, ...]) -> tuple[str | int | PortFile, ...]:
        for entry in ports:
            port(entry)
        return ports

    @field_validator("volumes")
    @classmethod
    def _volumes_are_understood(cls, volumes: tuple[str | VolumeFile, ...]) -> tuple[str | VolumeFile, ...]:
        for entry in volumes:
            volume(entry)
        return volumes

    @field_validator("stop_grace_period")
    @classmethod
    def _is_a_duration(cls, text: str | None) -> str | None:
        if text is not None:
            seconds(text)
        return text

    @field_validator("mem_limit")
    @classmethod
    def _is_a_size(cls, text: str | int | None) -> str | int | None:
        if text is not None:
            size(text)
        return text

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, data: Any) -> Any:
        return without_extensions(data)


def words(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """A command in list form; text is split as a shell would."""
    return tuple(shlex.split(value)) if isinstance(value, str) else tuple(value or ())


def variables(value: dict[str, Scalar | None] | tuple[str, ...]) -> dict[str, str]:
    """Variables in mapping form; one without a value is a reference to ours of that name."""
    pairs = (
        dict(entry.partition("=")[::2] if "=" in entry else (entry, None) for entry in value)
        if not isinstance(value, dict)
        else value
    )
    return {name: _text(name, content) for name, content in pairs.items()}


def _text(name: str, content: Scalar | None) -> str:
    if content is None:
        return f"${{{name}}}"
    return str(content).lower() if isinstance(content, bool) else str(content)


def port(entry: str | int | PortFile) -> tuple[int, int]:
    """The port in the container and the preferred one on 127.0.0.1; ValueError for what floe does not do."""
    if isinstance(entry, PortFile):
        address, published, target = entry.host_ip or "", str(entry.published or entry.target), str(entry.target)
    else:
        text = str(entry).removesuffix("/tcp")
        *front, target = text.split(":")
        published = front[-1] if front else target
        address = ":".join(front[:-1])
    if address not in ("", "127.0.0.1"):
        raise ValueError(f"`{entry}` publishes on {address}; nothing listens beyond 127.0.0.1")
    if not (published.isdigit() and target.isdigit()):
        raise ValueError(f"`{entry}` is not `127.0.0.1:PORT:PORT`, `PORT:PORT` or `PORT`")
    if not all(1 <= int(number) <= 65535 for number in (published, target)):
        raise ValueError(f"`{entry}` is no port: 1 to 65535")
    return int(target), int(published)


def volume(entry: str | VolumeFile) -> VolumeFile:
    """A mount in the long form; ValueError for one that floe does not understand."""
    if isinstance(entry, VolumeFile):
        found = entry
    else:
        source, _, rest = entry.partition(":")
        target, _, mode = rest.partition(":")
        if mode not in ("", "ro", "rw"):
            raise ValueError(f"the volume `{entry}` ends with `{mode}`; `ro` and `rw` are known")
        kind: Literal["volume", "bind"] = "bind" if source.startswith((".", "/", "~")) else "volume"
        found = VolumeFile(type=kind, source=source, target=target, read_only=mode == "ro")
    if not found.source or not found.target.startswith("/"):
        raise ValueError(f"the volume `{entry}` is not `name:/path` or `./path:/path`")
    return found


def seconds(text: str) -> float:
    """A duration such as `1m30s` in seconds; ValueError for another form."""
    found = _DURATION.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise ValueError(f"`{text}` is no duration such as `10s` or `1m30s`")
    hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def size(text: str | int) -> int:
    """A size such as `512m` in bytes; ValueError for another form."""
    found = _SIZE.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"`{text}` is no size such as `512m`")
    return int(float(found[1]) * _UNITS[found[2].lower()])
