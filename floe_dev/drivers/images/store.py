"""The images of the stacks on this machine: which are there, written to files and read from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.drivers.engine import connect
from floe_dev.errors import Code, FloeError

#: Bytes that are asked of the engine, and written, at once.
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ImageState:
    """One image that a stack needs; `size_bytes` is None where it is not on this machine."""

    stack: str
    service: str
    image: str
    size_bytes: int | None


def needed_images(stacks: dict[str, Path], root: Path | None) -> list[tuple[str, str, str]]:
    """Stack, service and image of every container that the stacks declare."""
    from floe_dev.config.stacks import load_stack

    return [
        (name, service.name, service.image)
        for name in stacks
        for service in load_stack(name, root).services
        if service.image is not None
    ]


def states(needed: list[tuple[str, str, str]]) -> list[ImageState]:
    """Which of the images the engine has; raises FloeError 2301, 2302."""
    client = connect()
    return [ImageState(stack, service, image, _size(client, image)) for stack, service, image in needed]


def _size(client: Any, image: str) -> int | None:
    from docker.errors import ImageNotFound

    try:
        return int(client.images.get(image).attrs["Size"])
    except ImageNotFound:
        return None


def save(image: str, file: Path) -> int:
    """Write an image as a file that `load` reads on a machine without a network; its size in bytes.

    Raises FloeError 2303 (no such image), 2304, OSError; a file is there whole or not at all.
    """
    from docker.errors import APIError, ImageNotFound

    client = connect()
    try:
        found = client.images.get(image)
        with _whole(file) as part, part.open("wb") as out:
            for chunk in found.save(chunk_size=_CHUNK_BYTES, named=True):
                out.write(chunk)
    except ImageNotFound as error:
        raise FloeError(
            Code.IMAGE_MISSING, f"the image `{image}` is not on this machine", fix="floe images build"
        ) from error
    except APIError as error:
        raise FloeError(
            Code.ENGINE_REFUSED, f"the engine does not write {image}", why=str(error), fix="floe doctor"
        ) from error
    return file.stat().st_size


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    part = file.with_name(f"{file.name}.part")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def load(file: Path) -> list[str]:
    """Give the engine the images of a file that `save` wrote; their names. Raises FloeError 2304, OSError."""
    from docker.errors import APIError, ImageLoadError

    client = connect()
    try:
        with file.open("rb") as content:
            loaded = client.images.load(content)
    except (APIError, ImageLoadError) as error:
        raise FloeError(
            Code.ENGINE_REFUSED,
            f"the engine does not take {file}",
            why=str(error),
            fix="give it a file that `floe images save` or `docker save` wrote",
        ) from error
    return sorted(tag for image in loaded for tag in image.tags)
