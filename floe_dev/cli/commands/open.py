"""`floe open`: the Dagster UI in the browser, or a capsule in the dashboard."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import pass_output
from floe_dev.cli.output import Output


@click.command(name="open", short_help="Open the Dagster UI in the browser, or a capsule.")
@click.argument("capsule", type=click.Path(path_type=Path), required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the address only.")
@click.option("--project", "-p", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The project.")
@pass_output
def command(output: Output, capsule: Path | None, only_print: bool, project: Path | None) -> int:
    """Open the Dagster UI in the browser; the address is printed too.

    With the zip file CAPSULE, show that in the dashboard, offline; without a terminal (or with --print), as text.
    """
    if capsule is not None:
        return _capsule(output, capsule, only_print=only_print)
    from floe_dev.cli.projects import choose_project
    from floe_dev.session import Session

    output.project = choose_project(project or output.project_option)
    url = Session(output.project).dagster().url
    output.data(url)
    if not only_print:
        import webbrowser

        if not webbrowser.open(url):
            output.say("no browser could be started; open the address yourself")
    return 0


def _capsule(output: Output, file: Path, *, only_print: bool) -> int:
    from floe_dev.cli.sessions import open_capsule, session_of

    session = session_of(output, open_capsule(output, file))
    if not only_print and sys.stdin.isatty() and sys.stdout.isatty():
        from floe_dev.cli.commands.dashboard import show_capsule

        return show_capsule(output, session)
    from floe_dev.cli.commands.capsule import show_text

    show_text(output, session, as_json=False)
    for words in ("traces", "logs", "tables", "runs", "status"):
        output.say(floe_command(words, "--capsule", str(file)))
    return 0
