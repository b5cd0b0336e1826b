"""Build floe's own images on the engine, in the order they need each other, and only what has changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from floe_dev.drivers.engine import connect
from floe_dev.drivers.images import debian
from floe_dev.drivers.images.recipes import Recipe, Tell, recipe_of
from floe_dev.errors import Code, FloeError

#: Label of an image that was built here: the digest of its recipe.
RECIPE_LABEL = "dev.floe.recipe"
#: Seconds for one answer of the engine: compiling MinIO says nothing for minutes.
_BUILD_SECONDS = 3600


def build_all(images: Iterable[str], tell: Tell, *, anew: bool = False) -> dict[str, bool]:
    """Make each image that floe has a recipe for, after those it needs; whether each was made or was there already.

    Raises FloeError 2306 (what it is made from cannot be had), 2304 (the engine refuses), 2301 and 2302.
    """
    client = connect(_BUILD_SECONDS)
    made: dict[str, bool] = {}

    def visit(image: str) -> None:
        recipe = recipe_of(image)
        if recipe is None or image in made:
            return
        for needed in recipe.needs:
            visit(needed)
        # An image on top of one that was just made would still hold the old one.
        stale = anew or any(made[needed] for needed in recipe.needs) or not _is_current(client, image, recipe)
        if stale:
            _build(client, image, recipe, tell)
        made[image] = stale

    for image in sorted(set(images)):
        visit(image)
    return made


def _is_current(client: Any, image: str, recipe: Recipe) -> bool:
    """Whether the engine has the image as the recipe would make it; one without our label is the user's own."""
    from docker.errors import ImageNotFound

    try:
        labels = client.images.get(image).labels
    except ImageNotFound:
        return False
    return bool(labels.get(RECIPE_LABEL, recipe.digest(image)) == recipe.digest(image))


def _build(client: Any, image: str, recipe: Recipe, tell: Tell) -> None:
    from docker.errors import APIError, DockerException

    architecture = client.version()["Arch"]
    with tempfile.TemporaryDirectory(prefix="floe-image-") as text:
        folder = Path(text)
        try:
            if recipe.name == "base":
                _make_base(client, image, recipe, architecture, folder, tell)
            else:
                context = folder / "context"
                shutil.copytree(recipe.folder, context)
                recipe.prepare(context, architecture, tell)
                _from_context(client, image, recipe, context, tell)
        except APIError as error:
            raise _refused(image, str(error.explanation or error)) from error
        except DockerException as error:
            raise _refused(image, str(error)) from error


def _make_base(client: Any, image: str, recipe: Recipe, architecture: str, folder: Path, tell: Tell) -> None:
    """Import the packages' files, set the packages up in a container, and import what that leaves as one layer."""
    tell("base: getting Debian's packages")
    archive = folder / "files.tar"
    debian.make_archive(folder / "apt", architecture, archive)
    repository, _, tag = image.partition(":")
    unpacked = f"{repository}-unpacked:{tag}-{folder.name[-8:]}"
    client.api.import_image_from_file(str(archive), *unpacked.split(":"))
    container = None
    try:
        tell("base: setting them up")
        script = (recipe.folder / "configure.sh").read_text(encoding="utf-8")
        container = client.containers.run(unpacked, ["/bin/sh", "-c", script], detach=True)
        status = container.wait()["StatusCode"]
        if status != 0:
            raise FloeError(
                Code.IMAGE_NOT_BUILT,
                "Debian's packages could not be set up",
                why=f"the set-up ended with {status}",
                detail=tuple(container.logs(tail=20).decode(errors="replace").splitlines()),
                fix="floe images build",
            )
        configured = folder / "configured.tar"
        with configured.open("wb") as out:
            for chunk in container.export():
                out.write(chunk)
        label = f"LABEL {RECIPE_LABEL}={recipe.digest(image)}"
        client.api.import_image_from_file(str(configured), repository, tag, changes=[label, 'CMD ["/bin/bash"]'])
    finally:
        if container is not None:
            container.remove(force=True)
        client.images.remove(unpacked, force=True)


def _from_context(client: Any, image: str, recipe: Recipe, context: Path, tell: Tell) -> None:
    tell(f"{recipe.name}: building {image}")
    answers = client.api.build(
        path=str(context),
        tag=image,
        rm=True,
        forcerm=True,
        labels={RECIPE_LABEL: recipe.digest(image)},
        buildargs=recipe.arguments,
        decode=True,
    )
    last: list[str] = []
    for answer in answers:
        text = str(answer.get("stream", "")).strip()
        if text:
            last = [*last[-19:], text]
        if text.startswith("Step "):
            tell(f"{recipe.name}: {text}")
        if "error" in answer:
            raise FloeError(
                Code.IMAGE_NOT_BUILT,
                f"the image {image} could not be built",
                why=str(answer["error"]),
                detail=tuple(last),
                fix="look at the last lines above; `floe images build` goes on where it stopped",
            )


def _refused(image: str, why: str) -> FloeError:
    return FloeError(Code.ENGINE_REFUSED, f"the engine does not make the image {image}", why=why, fix="floe doctor")
