"""Which project a command works on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.output import output_of
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import DBT_FILE, FLOE_FILE, is_project, nearest_project


def choose_project(option: Path | None) -> Path:
    """The project's root: --project, from here upwards, FLOE_PROJECT_DIR, the only one below here, the only stack.

    "Below" is one folder down, or any depth where a stack runs; "the only stack" is the only running one. With several
    stacks running, a terminal is asked which; otherwise that is FLOE1002 with the list.
    """
    if option is not None:
        return _named(option)
    found = nearest_project(Path.cwd().resolve())
    if found is not None:
        return found
    named = os.environ.get("FLOE_PROJECT_DIR")
    if named and is_project(Path(named)):
        return Path(named).resolve()
    here, running = Path.cwd().resolve(), running_roots()
    below = {root for root in running if root.is_relative_to(here)}
    below.update(root.resolve() for root in _projects_below(here) if (root / FLOE_FILE).is_file())
    if len(below) == 1:
        return below.pop()
    if len(running) == 1:
        return running[0]
    if running:
        return _ask(running)
    raise FloeError(
        Code.NO_PROJECT,
        f"there is no floe.yaml or dbt_project.yml in {Path.cwd()} or above it, and no stack is running",
        fix="floe init my-lakehouse",
    )


def running_roots() -> list[Path]:
    """The roots of this user's running stacks."""
    from floe_dev.supervisor.quick import running_projects

    return running_projects()


def _named(option: Path) -> Path:
    root = option.parent if option.name in (FLOE_FILE, DBT_FILE) and option.is_file() else option
    if not is_project(root):
        below = _projects_below(root)
        if len(below) > 1:
            raise FloeError(
                Code.SEVERAL_DBT_PROJECTS,
                f"there are {len(below)} projects below {root}",
                why="one stack serves one project",
                where=Where(root),
                detail=tuple(str(folder) for folder in below),
                fix=floe_command("up", "--project", str(below[0])),
            )
        raise FloeError(
            Code.NO_PROJECT,
            f"there is no floe.yaml or dbt_project.yml in {root}" if root.is_dir() else f"there is no folder {root}",
            where=Where(root),
            fix=floe_command("status", "--project", str(below[0])) if below else f"floe init '{root}'",
        )
    return root.resolve()


def _projects_below(root: Path) -> list[Path]:
    """The projects one folder down; a floe project's own dbt folder is part of it."""
    try:
        return sorted(folder for folder in root.iterdir() if is_project(folder))
    except OSError:
        return []


def _ask(running: list[Path]) -> Path:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise FloeError(
            Code.SEVERAL_STACKS,
            f"{len(running)} stacks are running and none is named",
            fix=floe_command("--project", str(running[0]), *output_of(click.get_current_context()).arguments),
            detail=tuple(str(root) for root in running),
        )
    for number, root in enumerate(running, 1):
        click.echo(f"  {number}  {root}", err=True)
    number = click.prompt("which project", type=click.IntRange(1, len(running)), err=True)
    return running[number - 1]
