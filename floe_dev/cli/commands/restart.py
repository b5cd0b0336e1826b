"""`floe restart`: one service, or the whole stack."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.progress import CHOICES, Choice, make_progress


@click.command(short_help="Restart one service, or the whole stack.")
@click.argument("service", required=False)
@click.option("--progress", type=click.Choice(CHOICES), default="auto", show_default=True, help="How it is shown.")
@project_option
@pass_output
def command(output: Output, service: str | None, progress: Choice, root: Path) -> None:
    """Restart SERVICE and wait until it is ready again; without one, stop and start the whole stack."""
    from floe_dev.session import Session

    session = Session(root)
    session.require_running()
    title = f"restarting {service or root.name}"
    view = make_progress(progress, output, title=title, environ=os.environ, tty=sys.stderr.isatty())
    with view:
        if service is not None:
            session.restart(service)
        else:
            session.down(on_event=view.event)
            session.up(on_event=view.event)
    output.say(f"{service or 'the stack'} is ready again")
