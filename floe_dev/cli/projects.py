"""Which project a command works on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from floe_dev.cli.naming import floe_command, nearest_project
from floe_dev.errors import Code, FloeError, Where


def choose_project(option: Path | None) -> Path:
    """The project's root: --project, else from here upwards, else FLOE_PROJECT_DIR, else the only running stack.

    With several stacks running, a terminal is asked which; otherwise that is FLOE1002 with the list.
    """
    if option is not None:
        return _named(option)
    found = nearest_project(Path.cwd())
    if found is not None:
        return found
    named = os.environ.get("FLOE_PROJECT_DIR")
    if named and (Path(named) / "floe.yaml").is_file():
        return Path(named).resolve()
    running = running_roots()
    if len(running) == 1:
        return running[0]
    if running:
        return _ask(running)
    raise FloeError(
        Code.NO_PROJECT,
        f"there is no floe.yaml in {Path.cwd()} or above it, and no stack is running",
        fix="floe init my-lakehouse",
    )


def running_roots() -> list[Path]:
    """The roots of this user's running stacks."""
    from floe_dev.supervisor.quick import running_projects

    return running_projects()


def _named(option: Path) -> Path:
    root = option.parent if option.name == "floe.yaml" and option.is_file() else option
    if not (root / "floe.yaml").is_file():
        below = sorted(path.parent for path in root.glob("*/floe.yaml")) if root.is_dir() else []
        raise FloeError(
            Code.NO_PROJECT,
            f"there is no floe.yaml in {root}" if root.is_dir() else f"there is no folder {root}",
            where=Where(root),
            fix=floe_command("status", "--project", str(below[0])) if below else f"floe init '{root}'",
        )
    return root.resolve()


def _ask(running: list[Path]) -> Path:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise FloeError(
            Code.SEVERAL_STACKS,
            f"{len(running)} stacks are running and none is named",
            fix=f"add --project '{running[0]}', say",
            detail=tuple(str(root) for root in running),
        )
    import click

    for number, root in enumerate(running, 1):
        click.echo(f"  {number}  {root}", err=True)
    number = click.prompt("which project", type=click.IntRange(1, len(running)), err=True)
    return running[number - 1]
