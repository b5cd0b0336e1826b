"""Pull images: how far each is, layer by layer and in bytes, and all of them together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from floe_dev.drivers.refusals import pull_refused

#: Seconds between two reports of one pull; the engine sends hundreds a second.
_REPORT_SECONDS = 0.2
_DONE = ("Pull complete", "Already exists")


@dataclass(frozen=True)
class PullState:
    """How far a pull is; `bytes_total` grows while the registry still tells the layers' sizes."""

    image: str
    layers_done: int = 0
    layers: int = 0
    bytes_done: int = 0
    bytes_total: int = 0

    def text(self) -> str:
        """`3 of 7 layers, 12 of 40 MB`."""
        if not self.layers:
            return "asking the registry"
        size = f", {self.bytes_done / 1e6:.0f} of {self.bytes_total / 1e6:.0f} MB" if self.bytes_total else ""
        return f"{self.layers_done} of {self.layers} layers{size}"


def together(states: list[PullState]) -> str:
    """Several pulls as one line; the one alone as it is."""
    if len(states) == 1:
        return states[0].text()
    whole = PullState(
        "",
        sum(state.layers_done for state in states),
        sum(state.layers for state in states),
        sum(state.bytes_done for state in states),
        sum(state.bytes_total for state in states),
    )
    return f"{len(states)} images: {whole.text()}"


@dataclass
class _Layers:
    sizes: dict[str, int] = field(default_factory=dict)
    got: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    def take(self, message: dict[str, Any]) -> None:
        layer, status = message.get("id"), str(message.get("status", ""))
        if layer is None or status.startswith("Pulling from"):
            return
        self.known.add(layer)
        detail = message.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self.sizes[layer], self.got[layer] = int(detail["total"]), int(detail.get("current", 0))
        elif status in ("Download complete", "Verifying Checksum", "Extracting", *_DONE):
            self.got[layer] = self.sizes.get(layer, 0)
        if status in _DONE:
            self.done.add(layer)


def pull(client: Any, image: str, tell: Callable[[PullState], None], service: str = "") -> None:
    """Pull one image, telling its state at most five times a second, and at its end.

    Raises FloeError 2303 (gone, no network, no login, rate limit), 2321 (other processor), 9101 (disk full).
    """
    from docker.errors import APIError, DockerException, NotFound
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    layers, told = _Layers(), 0.0
    tell(PullState(image))
    try:
        for message in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in message:
                raise pull_refused(image, str(message["error"]), service)
            layers.take(message)
            if time.monotonic() - told > _REPORT_SECONDS:
                told = time.monotonic()
                tell(_state(image, layers))
    except (APIError, NotFound) as error:
        raise pull_refused(image, str(error.explanation or error), service) from error
    except (DockerException, OSError) as error:
        raise pull_refused(image, str(error), service) from error
    tell(_state(image, layers))


def _state(image: str, layers: _Layers) -> PullState:
    return PullState(image, len(layers.done), len(layers.known), sum(layers.got.values()), sum(layers.sizes.values()))
