"""Ask from inside a project's network: in a container of it that has a shell, or in one of our base image.

The request goes in over the command's standard input, never as an argument: it may carry a token.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

from floe_dev.drivers.docker import PROJECT_LABEL, network_name
from floe_dev.drivers.wire import TIMEOUT_SECONDS, Answer, Request, parse

#: A small image with a shell, made by `floe images build`; used where no container of the stack has one.
BASE_IMAGE = "floe/base"
# bash's own TCP: none of the images has one HTTP client in common.
_SCRIPT = 'exec 3<>"/dev/tcp/$1/$2" || exit 7; head -c "$3" >&3; cat <&3'
_PROBE_SECONDS = "120"


class FromInside:
    """Asks from a container of the project's network; `with` finds it, or starts one and removes it again."""

    def __init__(self, client: Any, project: str) -> None:
        """Nothing is asked of the engine yet."""
        self._client = client
        self._project = project
        self._container: Any = None
        self._own: Any = None
        #: Where requests come from: the container's name.
        self.name = ""

    def __enter__(self) -> Self:
        """Find a container that can ask; LookupError where there is none, with what would mend it."""
        mine = {"label": f"{PROJECT_LABEL}={self._project}"}
        for container in self._client.containers.list(filters=mine, ignore_removed=True):
            if network_name(self._project) in container.attrs["NetworkSettings"]["Networks"] and _has_shell(container):
                self._container = container
                break
        else:
            self._container = self._own = self._start()
        self.name = self._container.name
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container that was started for this."""
        if self._own is not None:
            with contextlib.suppress(Exception):
                self._own.remove(force=True)

    def _start(self) -> Any:
        tags = [tag for image in self._client.images.list(name=BASE_IMAGE) for tag in image.tags]
        if not tags:
            raise LookupError("no container of the stack has a shell to ask with; mend: floe images build")
        return self._client.containers.run(
            max(tags),
            ["sleep", _PROBE_SECONDS],
            name=f"floe-{self._project}-probe",
            detach=True,
            auto_remove=False,
            labels={PROJECT_LABEL: self._project},
            network=network_name(self._project),
            init=True,
        )

    def ask(self, request: Request) -> Answer:
        """Send it and read the whole answer; raises OSError with what the shell in the container said."""
        from docker.errors import DockerException
        from docker.utils.socket import STDERR, frames_iter

        content, (host, port) = request.bytes(), request.address
        command = ["bash", "-c", _SCRIPT, "floe", host, str(port), str(len(content))]
        api = self._client.api
        out, said = bytearray(), bytearray()
        try:
            started = api.exec_create(self._container.id, command, stdin=True, stdout=True, stderr=True)
            stream = api.exec_start(started["Id"], socket=True)
            raw = getattr(stream, "_sock", stream)
            raw.settimeout(TIMEOUT_SECONDS)
            raw.sendall(content)
            for kind, part in frames_iter(stream, tty=False):
                (said if kind == STDERR else out).extend(part)
            stream.close()
            raw.close()
        except TimeoutError as error:
            raise OSError(0, f"no answer within {TIMEOUT_SECONDS:g} s") from error
        except (DockerException, OSError) as error:
            raise OSError(0, str(error)) from error
        if not out:
            raise OSError(0, _words(said.decode("utf-8", "replace")))
        return parse(bytes(out))


def _has_shell(container: Any) -> bool:
    try:
        code, _ = container.exec_run(["bash", "-c", "type head cat >/dev/null"])
    except Exception:  # noqa: BLE001 - no such program, or the container has just ended: not this one
        return False
    return bool(code == 0)


def _words(text: str) -> str:
    """The reason in what bash says: `bash: connect: Connection refused`."""
    lines = [line for line in text.strip().splitlines() if "/dev/tcp" not in line or ":" in line]
    return lines[0].split(": ", 1)[-1].removeprefix("connect: ") if lines else "the connection was closed"
