"""Images of floe's own: built from what package registries have, since the published ones are gone; kept as files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.config.bundled import bundled
from floe_dev.drivers.engine import connect
from floe_dev.errors import Code, FloeError

#: Go's name of MinIO at the version that the image's tag says.
MINIO_MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
#: Bytes that are asked of the engine, and written, at once.
_CHUNK_BYTES = 1024 * 1024

Tell = Callable[[str], None]


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


def build_minio(tag: str, tell: Tell, *, anew: bool = False) -> bool:
    """Compile MinIO with this machine's Go and make the image `tag` of it; False where the engine has it already.

    Raises FloeError 2306 (no Go here, or it fails), 2304 (the engine refuses), 2301 and 2302.
    """
    from docker.errors import APIError, BuildError

    client = connect()
    if not anew and _size(client, tag) is not None:
        return False
    with tempfile.TemporaryDirectory(prefix="floe-image-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(bundled("stacks") / "images" / "minio", context)
        _compile(client.version()["Arch"], Path(folder) / "go", context / "minio", tell)
        tell(f"making the image {tag}")
        try:
            client.images.build(path=str(context), tag=tag, rm=True)
        except (APIError, BuildError) as error:
            raise FloeError(
                Code.ENGINE_REFUSED, f"the engine does not make the image {tag}", why=str(error), fix="floe doctor"
            ) from error
    return True


def _compile(architecture: str, go_path: Path, binary: Path, tell: Tell) -> None:
    go = shutil.which("go")
    if go is None:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "MinIO is compiled from source, and there is no Go on this machine",
            why="its published images are gone, and `go` is not on PATH",
            fix="install Go 1.24 or newer, or load the image from another machine: floe images load FILE",
        )
    tell("compiling MinIO (minutes the first time; Go keeps what it compiled)")
    cache = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=False).stdout.strip()
    # Its own GOPATH, since GOBIN is refused where the engine's processor is not this machine's.
    environment = {**os.environ, "GOPATH": str(go_path), "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": architecture}
    environment.pop("GOBIN", None)
    if cache:
        environment["GOMODCACHE"] = cache
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags=-s -w", MINIO_MODULE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path for path in go_path.glob("bin/**/minio") if path.is_file()]
    if done.returncode != 0 or not found:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "Go did not compile MinIO",
            why=f"`go install {MINIO_MODULE}` ended with status {done.returncode}",
            detail=tuple(done.stderr.splitlines()[-20:]),
            fix="read Go's message above; it needs the Go module proxy, or the modules in its cache",
        )
    shutil.move(found[0], binary)


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
