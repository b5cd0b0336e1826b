"""`floe images`: what the stacks' containers run in, made and moved without an image registry."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output


@click.group(short_help="List, pull, build, save and load the containers' images.")
def command() -> None:
    """List, pull, build, save and load the images that the stacks' containers run in."""


@command.command("list")
@json_option
@pass_output
def list_images(output: Output, as_json: bool) -> None:
    """List the images that the stacks need, and which of them are on this machine."""
    from floe_dev.cli.naming import floe_command
    from floe_dev.cli.render.tables import table
    from floe_dev.drivers.images.store import states
    from floe_dev.drivers.refusals import OWN_IMAGES

    found = states(_needed(output))
    if as_json:
        output.document({"images": [asdict(state) for state in found]})
        return
    rows = [
        (state.stack, state.service, state.image, f"{state.size_bytes / 1e6:.0f} MB" if state.size_bytes else "missing")
        for state in found
    ]
    output.data(table(("stack", "service", "image", "here"), rows, width=output.width, color=output.color))
    missing = [state for state in found if state.size_bytes is None]
    if any(state.image.startswith(OWN_IMAGES) for state in missing):
        output.say(f"build what is floe's own: {floe_command('images', 'build')}")
    for stack in dict.fromkeys(state.stack for state in missing if not state.image.startswith(OWN_IMAGES)):
        output.say(f"pull what is missing of {stack}: {floe_command('images', 'pull', stack)}")


@command.command("build")
@click.argument("only", nargs=-1, metavar="[IMAGE]...")
@click.option("--anew", is_flag=True, help="Also those that are on this machine already.")
@json_option
@pass_output
def build_images(output: Output, only: tuple[str, ...], anew: bool, as_json: bool) -> None:
    """Build floe's own images from package registries alone; needs the engine, this machine's apt, and uv or pip."""
    from floe_dev.drivers.images.build import build_all

    wanted = {image for _, _, image in _needed(output)}
    if only:
        wanted = {image for image in wanted if image in only or image.partition(":")[0].removeprefix("floe/") in only}
    made = build_all(wanted, output.say, anew=anew)
    for image, anew_made in made.items():
        output.say(f"made {image}" if anew_made else f"{image} is there already")
    if as_json:
        output.document({"built": [{"image": image, "made": done} for image, done in made.items()]})


@command.command("pull")
@click.argument("stack", default="lakehouse")
@pass_output
def pull_images(output: Output, stack: str) -> None:
    """Pull the images of STACK that a registry has and this machine has not; floe's own are built instead."""
    from floe_dev.cli.pulling import pull_plainly
    from floe_dev.config.stacks import load_stack

    root = output.project_option or Path.cwd()
    pull_plainly(output, [service.image for service in load_stack(stack, root).services if service.image])


@command.command("save")
@click.argument("image")
@click.argument("file", type=click.Path(path_type=Path))
@pass_output
def save_image(output: Output, image: str, file: Path) -> None:
    """Write IMAGE to FILE, for a machine that cannot build it."""
    from floe_dev.drivers.images.store import save

    output.say(f"wrote {file} ({save(image, file) / 1e6:.0f} MB)")


@command.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_output
def load_images(output: Output, file: Path) -> None:
    """Give the engine the images in FILE."""
    from floe_dev.drivers.images.store import load

    output.say(f"loaded {', '.join(load(file))}")


def _needed(output: Output) -> list[tuple[str, str, str]]:
    from floe_dev.config.stacks import stack_files
    from floe_dev.drivers.images.store import needed_images

    root = output.project_option or Path.cwd()
    return needed_images(stack_files(root), root)
