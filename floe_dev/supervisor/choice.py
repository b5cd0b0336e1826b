"""Which stack a project gets when nobody names one: decided once, told in one line, remembered in its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from floe_dev.config.stacks import load_stack, stack_files
from floe_dev.errors import FloeError

#: The stack that needs nothing, and the one that is taken where everything for it is there.
PLAIN, FULL = "embedded", "lakehouse"
#: Names the stack for projects that have none yet, in place of this choice: for CI and for tests.
VARIABLE = "FLOE_STACK"


@dataclass(frozen=True)
class StackChoice:
    """The stack, why, and what was missing for the other one."""

    stack: str
    why: str
    #: Images of `lakehouse` that a registry may have, and those that are built here, where an engine answers.
    to_pull: tuple[str, ...] = ()
    to_build: tuple[str, ...] = ()

    @property
    def command(self) -> str | None:
        """The one command after which `lakehouse` could be had; None where nothing is missing."""
        if self.to_build:
            return "floe images build"
        return f"floe images pull {FULL}" if self.to_pull else None

    def line(self) -> str:
        """What is told: which stack, and why."""
        more = f"; for `{FULL}`: {self.command}, then floe up --stack {FULL}" if self.command else ""
        return f"stack: {self.stack} ({self.why}); remembered for this project{more}"


def choose(root: Path, environ: Mapping[str, str]) -> StackChoice:
    """Decide; nothing is pulled, started or written. A stack that FLOE_STACK names is not looked at here."""
    named = environ.get(VARIABLE)
    if named:
        return StackChoice(named, f"{VARIABLE} says so")
    if FULL not in stack_files(root):
        return StackChoice(PLAIN, "it needs no container engine")
    from floe_dev.drivers.engine import connect, find

    try:
        # Nobody waits for a library to load where there is no engine at all.
        find(environ)
        client = connect()
    except FloeError as error:
        return StackChoice(PLAIN, error.what)
    return _by_images(client, root)


def _by_images(client: Any, root: Path) -> StackChoice:
    from floe_dev.drivers.refusals import OWN_IMAGES

    images = [service.image for service in load_stack(FULL, root).services if service.image is not None]
    missing = [image for image in dict.fromkeys(images) if not _is_here(client, image)]
    if not missing:
        return StackChoice(FULL, "an engine answers and every image is here")
    return StackChoice(
        PLAIN,
        f"{len(missing)} of {len(images)} images of `{FULL}` are not here: {', '.join(missing)}",
        to_pull=tuple(image for image in missing if not image.startswith(OWN_IMAGES)),
        to_build=tuple(image for image in missing if image.startswith(OWN_IMAGES)),
    )


def _is_here(client: Any, image: str) -> bool:
    from docker.errors import DockerException

    try:
        client.images.get(image)
    except DockerException:
        return False
    return True
