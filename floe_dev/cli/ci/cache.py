"""Keys for a provider's cache, and getting beforehand what a start would have to get."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

from floe_dev import __version__
from floe_dev.cli.output import Output
from floe_dev.drivers.refusals import OWN_IMAGES
from floe_dev.errors import Code, FloeError

#: Files that decide which packages are installed.
_REQUIREMENTS = (
    *("pyproject.toml", "constraints.txt", "requirements*.txt", "uv.lock", "poetry.lock"),
    *("packages.yml", "*/packages.yml", "package-lock.yml", "*/package-lock.yml", "dependencies.yml"),
)


#: Where a job keeps images as files, below the project, if it has made that folder.
_IMAGES = ".floe-images"
_NOT_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def key(kind: str, root: Path, stack: str | None) -> str:
    """The key of a cache of `packages` or `images`: the same as long as the same things would be in it."""
    digest = hashlib.sha256()
    if kind == "images":
        for image in images(root, stack):
            digest.update(image.encode() + b"\0")
        return f"floe-images-{platform.machine()}-{digest.hexdigest()[:16]}"
    for file in sorted({file for name in _REQUIREMENTS for file in root.glob(name) if file.is_file()}):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    digest.update(__version__.encode())
    python = ".".join(platform.python_version_tuple()[:2])
    return f"floe-packages-{platform.system().lower()}-{platform.machine()}-py{python}-{digest.hexdigest()[:16]}"


def paths(kind: str, root: Path) -> list[str]:
    """What such a cache holds."""
    if kind == "images":
        return [str(root / _IMAGES)]
    return ["~/.cache/pip", "~/.cache/uv", *(str(folder) for folder in _package_folders(root))]


def images(root: Path, stack: str | None) -> list[str]:
    """The images of a stack's containers, sorted; raises FloeError 1205 for a stack that is none."""
    from floe_dev.config.stacks import load_stack
    from floe_dev.model.layout import Layout
    from floe_dev.supervisor.state import load_state

    state = load_state(Layout(root))
    name = stack or (state.stack if state is not None else None) or "embedded"
    return sorted({service.image for service in load_stack(name, root).services if service.image is not None})


def prefetch(output: Output, root: Path, stack: str | None) -> None:
    """Get the stack's images and the project's dbt packages.

    Where the project has a folder `.floe-images`, images are read from its files first, and each is written there.

    Raises:
        FloeError: FLOE2301 to 2306 for an image that cannot be had, 4010 for packages that cannot.
    """
    wanted = images(root, stack)
    if wanted:
        _images(output, wanted, root / _IMAGES)
    else:
        output.say("the stack has no containers: no images to get")
    for folder in _package_folders(root):
        _packages(output, folder.parent)


def _images(output: Output, wanted: list[str], kept: Path) -> None:
    from floe_dev.cli.pulling import pull_plainly
    from floe_dev.drivers.docker import has_image
    from floe_dev.drivers.engine import connect
    from floe_dev.drivers.images.build import build_all
    from floe_dev.drivers.images.store import load, save

    client = connect()
    files = {image: kept / f"{_NOT_NAME.sub('-', image)}.tar" for image in wanted}
    for image, file in files.items():
        if not has_image(client, image) and file.is_file():
            load(file)
            output.say(f"{image} from {file.relative_to(file.parents[1])}")
    own = [image for image in wanted if image.startswith(OWN_IMAGES)]
    pull_plainly(output, (image for image in wanted if image not in own))
    for image, made in build_all(own, output.say).items():
        output.say(f"made {image}" if made else f"{image} is here")
    if not kept.is_dir():
        return
    for image, file in files.items():
        if not file.is_file():
            save(image, file)
            output.say(f"wrote {file.relative_to(file.parents[1])}")
    for file in set(kept.glob("*.tar")) - set(files.values()):
        # Of an older stack; a cache that only grows is soon slower than none.
        file.unlink()


def _packages(output: Output, folder: Path) -> None:
    output.say(f"dbt deps in {folder}")
    command = [str(Path(sys.executable).parent / "dbt"), "--no-use-colors", "deps", "--project-dir", str(folder)]
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise FloeError(
            Code.DBT_PACKAGES_MISSING,
            f"dbt cannot get the packages of {folder.name}",
            why=lines[-1] if lines else f"exit code {done.returncode}",
            detail=tuple(lines[-10:]),
            fix=shlex.join(command),
        )


def _package_folders(root: Path) -> list[Path]:
    """Where dbt puts the packages of the dbt projects at and below `root` that want some."""
    found = {file.parent for name in ("packages.yml", "dependencies.yml") for file in root.glob(name)}
    found |= {file.parent for name in ("packages.yml", "dependencies.yml") for file in root.glob(f"*/{name}")}
    return sorted(folder / "dbt_packages" for folder in found if (folder / "dbt_project.yml").is_file())
