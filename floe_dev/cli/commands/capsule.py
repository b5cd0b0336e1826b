"""`floe capsule`: one file that explains a failure to somebody else."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output


@click.group(short_help="Put all that explains a failure into one file.")
def command() -> None:
    """Put everything that explains a failure into one zip, without secrets; `floe open FILE` shows it offline."""


@command.command("create")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--data", is_flag=True, help="Also the first rows of every table.")
@click.option("--note", default="", metavar="TEXT", help="One line on what is wrong.")
@click.option("--max-mb", type=click.IntRange(1, 1000), default=20, show_default=True, help="Megabytes at most.")
@json_option
@project_option
@pass_output
def create(output: Output, file: Path | None, data: bool, note: str, max_mb: int, as_json: bool, root: Path) -> None:
    """Write the capsule FILE (default: .floe/capsules/<time>-manual.zip).

    It has status, configuration, logs, spans, lineage, Dagster's events, dbt's artifacts, the tables' metadata,
    versions and the machine. Secrets are removed; rows of tables are only in it with --data.
    """
    from floe_dev.capsule.create import create as write
    from floe_dev.capsule.create import default_file
    from floe_dev.session import Session

    session = Session(root)
    made = write(
        session,
        (file or default_file(session.layout, "manual")).absolute(),
        title=note,
        limit=max_mb * 1_000_000,
        data=data,
    )
    if as_json:
        output.document({"capsule": str(made), "bytes": made.stat().st_size})
        return
    output.data(str(made))
    output.say(f"{made.stat().st_size / 1e6:.1f} MB; look into it with: {floe_command('open', str(made))}")


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_output
def show(output: Output, file: Path, as_json: bool) -> None:
    """Show what the capsule FILE is of, what failed, and what had to be left out."""
    from floe_dev.cli.sessions import open_capsule, session_of

    show_text(output, session_of(output, open_capsule(output, file)), as_json=as_json)


def show_text(output: Output, session: object, *, as_json: bool) -> None:
    """A capsule as text, or its manifest as JSON."""
    from floe_dev.capsule.offline import OfflineSession
    from floe_dev.cli.render.traces import when_text

    assert isinstance(session, OfflineSession)
    manifest = session.manifest
    if as_json:
        output.document({**manifest.model_dump(mode="json"), "error": session.error()})
        return
    made = f"{manifest.kind} of {manifest.project}, {when_text(manifest.created_at)}, floe {manifest.floe}"
    output.data(made + (f", stack {manifest.stack}" if manifest.stack else ""))
    output.data(session.error() or manifest.title)
    for line in manifest.missing:
        output.say(f"not in it: {line}")
