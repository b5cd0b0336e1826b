"""Find the container engine: DOCKER_HOST, the chosen context, then the sockets of the engines that people use.

What is named explicitly is the only one that is tried; of the usual sockets the first that answers is taken. An error
names every place that was looked at, and what was found there.
"""

from __future__ import annotations

import errno
import grp
import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError

#: Seconds for one answer of the engine.
ENGINE_SECONDS = 30
#: Seconds that a socket has to take a connection.
_KNOCK_SECONDS = 2.0
WITHOUT_ENGINE = "or take the stack that needs none: floe up --stack embedded"


@dataclass(frozen=True)
class Endpoint:
    """Where an engine may be, and who says so."""

    url: str
    origin: str
    #: Whether the user chose it, so that no other is tried.
    explicit: bool = False

    @property
    def socket(self) -> Path | None:
        """The Unix socket's path; None for TCP and SSH."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


def endpoints(environ: Mapping[str, str], home: Path) -> list[Endpoint]:
    """Where to look, in order; one endpoint alone where the user chose it."""
    if host := environ.get("DOCKER_HOST"):
        return [Endpoint(host, "DOCKER_HOST", explicit=True)]
    chosen = _context(environ, home)
    if chosen is not None:
        return [chosen]
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    colima = Path(environ.get("COLIMA_HOME") or home / ".colima")
    places = [
        ("/var/run/docker.sock", "Docker"),
        (f"{runtime}/docker.sock", "rootless Docker"),
        (f"{home}/.docker/run/docker.sock", "Docker Desktop"),
        *((str(path), f"Colima ({path.parent.name})") for path in sorted(colima.glob("*/docker.sock"))),
        (f"{home}/.orbstack/run/docker.sock", "OrbStack"),
        (f"{home}/.rd/docker.sock", "Rancher Desktop"),
        (f"{runtime}/podman/podman.sock", "rootless Podman"),
        (f"{home}/.local/share/containers/podman/machine/podman.sock", "a Podman machine"),
        ("/run/podman/podman.sock", "Podman"),
    ]
    return [Endpoint(f"unix://{path}", name) for path, name in places]


def _context(environ: Mapping[str, str], home: Path) -> Endpoint | None:
    """What `docker context use` or DOCKER_CONTEXT chose; None for the default one. Raises FloeError 2301."""
    import hashlib
    import json

    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    name, origin = environ.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not name:
        try:
            name = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("currentContext")
        except (OSError, ValueError, AttributeError):
            return None
        origin = f"{folder / 'config.json'}"
    if not name or name == "default":
        return None
    # The CLI's own layout: the folder is the name's hash (docker/cli, cli/context/store).
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        host = str(json.loads(meta.read_text(encoding="utf-8"))["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FloeError(
            Code.NO_ENGINE,
            f"the Docker context `{name}` does not exist",
            why=f"{origin} names it, and {meta} cannot be read",
            fix="unset DOCKER_CONTEXT" if origin == "DOCKER_CONTEXT" else "docker context use default",
        ) from error
    return Endpoint(host, f"the Docker context `{name}`", explicit=True)


@dataclass(frozen=True)
class Found:
    """What is at an endpoint: `answers`, `absent`, `stopped`, `denied`; the system's own words as `why`."""

    endpoint: Endpoint
    state: str
    why: str = ""


def knock(endpoint: Endpoint) -> Found:
    """Whether something listens at the endpoint; only sockets are tried, an address of another kind is taken."""
    path = endpoint.socket
    if path is None:
        return Found(endpoint, "answers")
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_KNOCK_SECONDS)
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            answered = b"200" in client.recv(64)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return Found(endpoint, "absent", "no such file")
        denied = error.errno in (errno.EACCES, errno.EPERM)
        return Found(endpoint, "denied" if denied else "stopped", error.strerror or str(error))
    return Found(endpoint, "answers" if answered else "stopped", "" if answered else "it does not speak the Docker API")


def find(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Endpoint:
    """The engine to use; raises FloeError 2301 (none answers, with all that was looked at) or 2302 (closed to us)."""
    looked = []
    for endpoint in endpoints(os.environ if environ is None else environ, home or Path.home()):
        seen = knock(endpoint)
        if seen.state == "answers":
            return endpoint
        looked.append(seen)
    raise _none(looked)


def connect(seconds: float = ENGINE_SECONDS) -> Any:
    """A client of the engine; `seconds` is how long one answer may take. Raises FloeError 2301 or 2302."""
    import docker
    from docker.errors import DockerException

    endpoint = find()
    try:
        client = (
            docker.from_env(timeout=seconds, use_ssh_client=True)
            if endpoint.origin == "DOCKER_HOST"
            else docker.DockerClient(base_url=endpoint.url, timeout=seconds, use_ssh_client=True)
        )
        client.ping()
    except (DockerException, OSError) as error:
        raise _none([Found(endpoint, "stopped", str(error))]) from error
    return client


def gone(error: Exception) -> FloeError:
    """The engine that answered before does not any more."""
    return FloeError(Code.NO_ENGINE, "the engine does not answer any more", why=str(error), fix=_start_command([]))


def _none(looked: list[Found]) -> FloeError:
    there = [seen for seen in looked if seen.state != "absent"]
    for seen in there:
        if seen.state == "denied":
            return _denied(seen)
    told = there or looked[:1]
    detail = tuple(f"{seen.endpoint.origin}: {seen.endpoint.url}: {seen.why}" for seen in told)
    chosen = looked[0].endpoint if looked and looked[0].endpoint.explicit else None
    without = WITHOUT_ENGINE
    if chosen is not None:
        what = f"the engine that {chosen.origin} names does not answer"
        undo = "unset DOCKER_HOST" if chosen.origin == "DOCKER_HOST" else "docker context use default"
        without = f"or look for another one: {undo}, {WITHOUT_ENGINE}"
    elif there:
        what = f"{there[0].endpoint.origin} does not answer" if len(there) == 1 else "no container engine answers"
    else:
        what = "there is no container engine here"
        detail = (f"looked for {', '.join(seen.endpoint.url.removeprefix('unix://') for seen in looked)}",)
    return FloeError(
        Code.NO_ENGINE,
        what,
        why="; ".join(detail),
        fix=f"{_start_command(looked)}, {without}",
    )


def _denied(seen: Found) -> FloeError:
    path = seen.endpoint.socket
    group = "docker"
    try:
        assert path is not None
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError, AssertionError):
        pass
    fix = f"sudo usermod -aG {group} $USER, then log in anew (or: newgrp {group})"
    if group == "root":
        fix = (
            "ask for a group that may use it (sudo groupadd docker, then restart the engine), or run a rootless engine"
        )
    return FloeError(
        Code.ENGINE_DENIED,
        f"the socket of the engine ({seen.endpoint.origin}) is closed to this user",
        why=f"{seen.endpoint.url}: {seen.why}; its group is `{group}`, and you are not in it",
        fix=fix,
    )


def _start_command(looked: list[Found]) -> str:
    """The command that starts the engine that is most likely the user's."""
    stopped = [seen.endpoint for seen in looked if seen.state == "stopped"]
    for endpoint in stopped or [seen.endpoint for seen in looked if seen.endpoint.explicit]:
        path = f"{endpoint.url} {endpoint.origin}"
        if "colima" in path.lower():
            profile = Path(endpoint.url).parent.name
            return "colima start" if profile in ("default", "") else f"colima start {profile}"
        if "podman" in path.lower():
            return "podman machine start" if sys.platform == "darwin" else _podman(endpoint)
        if f"/run/user/{os.getuid()}/docker.sock" in path:
            return "systemctl --user start docker"
        if "desktop" in path.lower():
            return "start Docker Desktop"
    which: Callable[[str], str | None] = shutil.which
    if which("colima"):
        return "colima start"
    if which("dockerd") or which("docker"):
        return "open -a Docker" if sys.platform == "darwin" else "sudo systemctl start docker"
    if which("podman"):
        return "podman machine start" if sys.platform == "darwin" else "systemctl --user start podman.socket"
    return "install an engine (Docker, Podman or Colima) and start it"


def _podman(endpoint: Endpoint) -> str:
    rootless = endpoint.url.startswith("unix:///run/user/")
    return "systemctl --user start podman.socket" if rootless else "sudo systemctl start podman.socket"
