"""`floe reset`: delete everything floe made for the project."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import pass_output, project_option, yes_option
from floe_dev.cli.output import Output
from floe_dev.model.layout import Layout
from floe_dev.model.units import size


@click.command(short_help="Delete everything floe made for the project.")
@click.option("--keep-data", is_flag=True, help="Keep tables and credentials; forget ports, runs and logs.")
@yes_option
@project_option
@pass_output
def command(output: Output, keep_data: bool, yes: bool, root: Path) -> None:
    """Stop the stack and delete .floe/ and its containers' volumes: tables, runs, credentials, ports.

    Your own files are not touched.
    """
    layout = Layout(root)
    if not layout.state_dir.exists():
        output.say(f"nothing to delete: floe made nothing in {root}")
        return
    kept = {layout.catalog_dir, layout.warehouse_dir, layout.secrets_file} if keep_data else set()
    doomed = [path for path in sorted(layout.state_dir.iterdir()) if path not in kept]
    freed = sum(_size(path) for path in doomed)
    output.say(f"{layout.state_dir}: {', '.join(path.name for path in doomed)} ({size(freed)})")
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask on; add --yes")
        click.confirm("delete this and stop the stack?", abort=True, err=True)
    from floe_dev.cli.commands.down import stop

    # The volumes of containers are data as well: without their secrets, which go with .floe/, nothing could open them.
    stop(output, root, volumes=not keep_data, progress="plain")
    if keep_data:
        for path in doomed:
            _delete(path)
    else:
        _delete(layout.state_dir)
    output.say(f"deleted; a new start is: {floe_command('up', project=root)}")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    total = 0
    for folder, _, files in os.walk(path) if path.is_dir() else [(str(path.parent), [], [path.name])]:
        for name in files:
            file = Path(folder) / name
            total += file.lstat().st_size if file.exists() else 0
    return total
