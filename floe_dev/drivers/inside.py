"""Ask from inside a project's network: in a container of it that has a shell, or in one of our base image.

One command serves all requests: to start one in a container takes longer than ten requests do. They go in over its
standard input, never as an argument: they may carry a token.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from floe_dev.drivers.docker import PROJECT_LABEL, network_name
from floe_dev.drivers.wire import TIMEOUT_SECONDS, Answer, Request, parse

#: A small image with a shell, made by `floe images build`; used where no container of the stack has one.
BASE_IMAGE = "floe/base"
# bash's own TCP: none of the images has one HTTP client in common. A word that nobody can guess says that it has begun,
# and ends each answer.
_SCRIPT = """
exec 2>&1
type head cat >/dev/null || exit 7
printf %s "$1"
while read -r host port size; do
  if exec 3<>"/dev/tcp/$host/$port"; then head -c "$size" >&3; cat <&3; exec 3>&-; else head -c "$size" >/dev/null; fi
  printf %s "$1"
done
"""
_PROBE_SECONDS = "120"


class FromInside:
    """Asks from a container of the project's network; `with` finds it, or starts one and removes it again."""

    def __init__(self, client: Any, project: str) -> None:
        """Nothing is asked of the engine yet."""
        self._client = client
        self._project = project
        self._container: Any = None
        self._own: Any = None
        #: The running command: its socket, and what it says, piece by piece.
        self._command: tuple[Any, Any, Iterator[tuple[int, bytes]]] | None = None
        self._end = secrets.token_hex(16).encode()
        #: Where requests come from: the container's name.
        self.name = ""

    def __enter__(self) -> Self:
        """Find a container that can ask; LookupError where there is none, with what would mend it."""
        mine = {"label": f"{PROJECT_LABEL}={self._project}"}
        for container in self._client.containers.list(filters=mine, ignore_removed=True):
            if network_name(self._project) not in container.attrs["NetworkSettings"]["Networks"]:
                continue
            self._container = container
            # No such program in it, or it has just ended: not this one.
            with contextlib.suppress(OSError):
                self._begin()
                break
        else:
            self._container = self._own = self._start()
        self.name = self._container.name
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the command, and remove the container that was started for this."""
        self._hang_up()
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
        content, (host, port) = request.bytes(), request.address
        if self._command is None:
            self._begin()
        answer = self._said(f"{host} {port} {len(content)}\n".encode() + content)
        if not answer.startswith(b"HTTP/"):
            raise OSError(0, _words(answer.decode("utf-8", "replace")))
        return parse(answer)

    def _begin(self) -> None:
        """Start the command; raises OSError where the container has no shell or none of the programs."""
        from docker.errors import DockerException
        from docker.utils.socket import frames_iter

        api = self._client.api
        command = ["bash", "-c", _SCRIPT, "floe", self._end.decode()]
        try:
            started = api.exec_create(self._container.id, command, stdin=True, stdout=True, stderr=True)
            stream = api.exec_start(started["Id"], socket=True)
        except (DockerException, OSError) as error:
            raise OSError(0, str(error)) from error
        raw = getattr(stream, "_sock", stream)
        raw.settimeout(TIMEOUT_SECONDS)
        self._command = raw, stream, frames_iter(stream, tty=False)
        said = self._said(b"")
        if self._command is None:
            raise OSError(0, _words(said.decode("utf-8", "replace")))

    def _said(self, asked: bytes) -> bytes:
        """Everything until the end word; the command is hung up where that does not come. Raises OSError."""
        from docker.errors import DockerException

        assert self._command is not None
        raw, _, pieces = self._command
        said = bytearray()
        try:
            raw.sendall(asked)
            while not said.endswith(self._end):
                said.extend(next(pieces)[1])
        except StopIteration:
            # The container ended, or its shell: what came until then tells why.
            self._hang_up()
        except TimeoutError as error:
            self._hang_up()
            raise OSError(0, f"no answer within {TIMEOUT_SECONDS:g} s") from error
        except (DockerException, OSError) as error:
            self._hang_up()
            raise OSError(0, str(error)) from error
        return bytes(said).removesuffix(self._end)

    def _hang_up(self) -> None:
        """The command ends with its standard input."""
        if self._command is not None:
            raw, stream, _ = self._command
            self._command = None
            with contextlib.suppress(OSError):
                stream.close()
                raw.close()


def _words(text: str) -> str:
    """The reason in what bash says: `floe: line 6: connect: Connection refused`."""
    first = next(iter(text.strip().splitlines()), "")
    return re.sub(r"^\w+: (line \d+: )?(connect: )?", "", first) or "the connection was closed"
