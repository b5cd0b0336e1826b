"""Keys for a provider's cache, and getting beforehand what a start would have to get."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from pathlib import Path

from floe_dev import __version__
from floe_dev.cli.output import Output

#: Files that decide which packages are installed.
_REQUIREMENTS = (
    *("pyproject.toml", "constraints.txt", "requirements*.txt", "uv.lock", "poetry.lock"),
    *("packages.yml", "*/packages.yml", "package-lock.yml", "*/package-lock.yml", "dependencies.yml"),
)


#: What the names of images begin with that are built here and published nowhere.
_OWN = "floe/"


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
        return [str(root / ".floe-images")]
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
    """Get the stack's images and the project's dbt packages; raises FloeError for an image that cannot be had."""
    wanted = images(root, stack)
    if wanted:
        _images(output, wanted)
    else:
        output.say("the stack has no containers: no images to get")
    for folder in _package_folders(root):
        output.say(f"dbt deps in {folder.parent}")
        subprocess.run(
            [str(Path(sys.executable).parent / "dbt"), "deps", "--project-dir", str(folder.parent)],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def _images(output: Output, wanted: list[str]) -> None:
    from floe_dev.drivers.docker import connect
    from floe_dev.errors import Code, FloeError

    client = connect()
    from docker.errors import DockerException, ImageNotFound

    own = False
    for image in wanted:
        try:
            client.images.get(image)
            output.say(f"{image} is there")
        except ImageNotFound:
            if image.startswith(_OWN):
                own = True
                continue
            output.say(f"getting {image}")
            try:
                client.images.pull(image)
            except DockerException as error:
                raise FloeError(
                    Code.IMAGE_MISSING,
                    f"the image `{image}` is not on this machine",
                    why=str(error),
                    fix=f"docker pull {image}",
                ) from error
    if own:
        subprocess.run([sys.executable, "-m", "floe_dev.cli", "images", "build"], check=True, stdin=subprocess.DEVNULL)


def _package_folders(root: Path) -> list[Path]:
    """Where dbt puts the packages of the dbt projects at and below `root` that want some."""
    found = {file.parent for name in ("packages.yml", "dependencies.yml") for file in root.glob(name)}
    found |= {file.parent for name in ("packages.yml", "dependencies.yml") for file in root.glob(f"*/{name}")}
    return sorted(folder / "dbt_packages" for folder in found if (folder / "dbt_project.yml").is_file())
