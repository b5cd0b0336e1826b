"""`floe open`: the Dagster UI in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output


@click.command(name="open", short_help="Open the Dagster UI in the browser.")
@click.option("--print", "only_print", is_flag=True, help="Print the address only.")
@project_option
@pass_output
def command(output: Output, only_print: bool, root: Path) -> None:
    """Open the Dagster UI in the browser; the address is printed too."""
    from floe_dev.session import Session

    url = Session(root).dagster().url
    output.data(url)
    if not only_print:
        import webbrowser

        if not webbrowser.open(url):
            output.say("no browser could be started; open the address yourself")
