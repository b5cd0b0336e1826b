"""`floe images`: what the stacks' containers run in, made and moved without an image registry."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output

#: Of the services whose image floe can make: how it is made.
BUILDABLE = "minio"


@click.group(short_help="List, build, save and load the containers' images.")
def command() -> None:
    """List, build, save and load the images that the stacks' containers run in."""


@command.command("list")
@json_option
@pass_output
def list_images(output: Output, as_json: bool) -> None:
    """List the images that the stacks need, and which of them are on this machine."""
    from floe_dev.cli.render.tables import table
    from floe_dev.drivers.images import states

    found = states(_needed(output))
    if as_json:
        output.document({"images": [asdict(state) for state in found]})
        return
    rows = [
        (state.stack, state.service, state.image, f"{state.size_bytes / 1e6:.0f} MB" if state.size_bytes else "missing")
        for state in found
    ]
    output.data(table(("stack", "service", "image", "here"), rows, width=output.width, color=output.color))


@command.command("build")
@click.option("--anew", is_flag=True, help="Also those that are on this machine already.")
@json_option
@pass_output
def build_images(output: Output, anew: bool, as_json: bool) -> None:
    """Build the images whose published ones are gone; it needs the engine, Go, and Go's module proxy."""
    from floe_dev.drivers.images import build_minio

    built = []
    for image in sorted({image for _, service, image in _needed(output) if service == BUILDABLE}):
        made = build_minio(image, output.say, anew=anew)
        output.say(f"made {image}" if made else f"{image} is there already")
        built.append({"image": image, "made": made})
    if as_json:
        output.document({"built": built})


@command.command("save")
@click.argument("image")
@click.argument("file", type=click.Path(path_type=Path))
@pass_output
def save_image(output: Output, image: str, file: Path) -> None:
    """Write IMAGE to FILE, for a machine that cannot build it."""
    from floe_dev.drivers.images import save

    output.say(f"wrote {file} ({save(image, file) / 1e6:.0f} MB)")


@command.command("load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_output
def load_images(output: Output, file: Path) -> None:
    """Give the engine the images in FILE."""
    from floe_dev.drivers.images import load

    output.say(f"loaded {', '.join(load(file))}")


def _needed(output: Output) -> list[tuple[str, str, str]]:
    from floe_dev.config.stacks import stack_files
    from floe_dev.drivers.images import needed_images

    root = output.project_option or Path.cwd()
    return needed_images(stack_files(root), root)
