"""`floe exec -- PROGRAM …`: any program with the stack's environment."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from floe_dev.cli.options import project_option


@click.command(
    name="exec",
    short_help="Run a program with the stack's environment.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--principal", type=click.Choice(["floe", "reader"]), default="floe", help="Whose credentials.")
@project_option
def command(program: tuple[str, ...], principal: str, root: Path) -> None:
    """Run PROGRAM with the stack's environment; its exit code is the exit code.

    \b
    floe exec -- dbt build --select stg_orders
    floe exec -- python notebook.py
    """  # noqa: D301 - click's mark for lines it must not join
    from floe_dev.session import Session

    environment = {**os.environ, **Session(root).environment(principal)}
    # The programs that came with floe (dbt, dagster, pyiceberg) first: those of another environment lack its adapter.
    scripts = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([scripts, environment.get("PATH", os.defpath)])
    found = shutil.which(program[0], path=environment["PATH"])
    if found is None:
        raise click.UsageError(f"there is no program {program[0]!r} on PATH")
    sys.stdout.flush()
    sys.stderr.flush()
    # Replaced, not started: signals, the terminal and the exit code are the program's own.
    os.execve(found, list(program), environment)  # noqa: S606 - the user's own command line, without a shell
