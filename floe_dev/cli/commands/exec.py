"""`floe exec -- PROGRAM …`: any program with the stack's environment."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.options import project_option
from floe_dev.model.layout import DBT_FILE

if TYPE_CHECKING:
    from floe_dev.session import Session


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

    dbt finds the project's dbt project from any folder that does not lead to another one.

    \b
    floe exec -- dbt build --select stg_orders
    floe exec -- python notebook.py
    """  # noqa: D301 - click's mark for lines it must not join
    from floe_dev.session import Session

    session = Session(root)
    environment = {**os.environ, **session.environment(principal), **_dbt_project(session)}
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


def _dbt_project(session: Session) -> dict[str, str]:
    """Where dbt finds its project if it was not told and the working directory does not lead to one."""
    here = Path.cwd()
    if "DBT_PROJECT_DIR" in os.environ or any((folder / DBT_FILE).is_file() for folder in (here, *here.parents)):
        return {}
    folder = session.project.dbt_dir()
    return {} if folder is None else {"DBT_PROJECT_DIR": str(folder)}
