"""`floe down`: stop the stack of this project, or every stack of this user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output, output_of
from floe_dev.cli.render.progress import CHOICES, Choice, make_progress
from floe_dev.cli.render.style import state_text
from floe_dev.errors import FloeError


@click.command(short_help="Stop the stack; data stay unless --volumes.")
@click.option("--volumes", "-v", is_flag=True, help="Delete the tables, the catalog and the run history as well.")
@click.option("--all", "everything", is_flag=True, help="Stop every stack of this user.")
@click.option("--project", "-p", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The project.")
@click.option("--progress", type=click.Choice(CHOICES), default="auto", show_default=True, help="How it is shown.")
@json_option
@pass_output
def command(
    output: Output, volumes: bool, everything: bool, project: Path | None, progress: Choice, as_json: bool
) -> None:
    """Stop the stack. Tables, runs, ports and credentials stay for the next `floe up` unless --volumes is given.

    Stopping what is not running is no error.
    """
    if everything and project is not None:
        raise click.UsageError("--all and --project exclude each other")
    from floe_dev.cli.projects import choose_project, running_roots

    roots = running_roots() if everything else [choose_project(project or output.project_option)]
    stopped = []
    for root in roots:
        output_of(click.get_current_context()).project = root
        was_running = stop(output, root, volumes=volumes, progress=progress)
        stopped.append({"project": str(root), "wasRunning": was_running, "volumesDeleted": volumes})
    if as_json:
        output.document({"stopped": stopped})
    elif not roots:
        output.say("no stack is running")


def stop(output: Output, root: Path, *, volumes: bool, progress: Choice) -> bool:
    """Stop one stack and tell; whether it was running."""
    from floe_dev.session import Session

    session = Session(root)
    try:
        was_running = session.status() is not None
    except FloeError:
        was_running = True  # it hangs; it is ended all the same
    view = make_progress(progress, output, title=f"stopping {root.name}", environ=os.environ, tty=sys.stderr.isatty())
    with view:
        session.down(volumes=volumes, on_event=view.event)
    state = state_text("stopped", color=output.err_color, unicode=output.unicode)
    data = "; its data are deleted" if volumes else ""
    if progress not in ("quiet", "json"):
        output.say(f"{state} {root}{data}" if was_running else f"{state} {root} was not running{data}")
    return was_running
