"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from floe_dev.cli.output import output_of
from floe_dev.cli.projects import choose_project

P = ParamSpec("P")
R = TypeVar("R")


PROJECT_HELP = (
    "The project's folder (default: from here upwards, else the only one below, else the only running stack)."
)


def pass_output(function: Callable[..., R]) -> Callable[..., R]:
    """Give the command the process's `Output` as its first argument."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        return function(output_of(click.get_current_context()), *args, **kwargs)

    return call


def json_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--json`: the argument `as_json`; errors then are JSON as well."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
        output_of(ctx).json_mode = output_of(ctx).json_mode or value
        return value

    return click.option(
        "--json", "as_json", is_flag=True, callback=remember, is_eager=True, help="JSON with a schemaVersion on stdout."
    )(function)


def project_option(function: Callable[..., R]) -> Callable[..., R | None]:
    """`--project`: the command gets `root`, the chosen project's folder (see `projects.choose_project`).

    A group with this option is only called where no command of it is.
    """

    @wraps(function)
    def call(*args: Any, project: Path | None, **kwargs: Any) -> R | None:
        context = click.get_current_context()
        output = output_of(context)
        output.project_option = project or output.project_option
        if context.invoked_subcommand is not None:
            return None  # a group such as `tables`: which project is meant is known once `show` has spoken as well
        root = choose_project(output.project_option)
        output.project = root
        return function(*args, root=root, **kwargs)

    return click.option(
        "--project",
        "-p",
        type=click.Path(path_type=Path),
        default=None,
        metavar="DIR",
        help=PROJECT_HELP,
    )(call)


def project_or_capsule_option(function: Callable[..., R]) -> Callable[..., R | None]:
    """`--project` and `--capsule`: `root` is the project's folder, or the one that the capsule is unpacked in."""

    @wraps(function)
    def call(*args: Any, capsule: Path | None, project: Path | None, **kwargs: Any) -> R | None:
        context = click.get_current_context()
        output = output_of(context)
        capsule = output.capsule_option = capsule or output.capsule_option
        if capsule is None or context.invoked_subcommand is not None:
            return by_project(*args, project=project, **kwargs)
        if project is not None or output.project_option is not None:
            raise click.UsageError("--capsule and --project exclude each other")
        from floe_dev.cli.sessions import open_capsule

        root = open_capsule(output, capsule)
        output.project = root
        return function(*args, root=root, **kwargs)

    by_project = project_option(function)
    parameters = by_project.__click_params__  # type: ignore[attr-defined] # click keeps a function's options there
    call.__click_params__ = parameters  # type: ignore[attr-defined]
    return click.option(
        "--capsule",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        metavar="FILE",
        help="Read a capsule instead of a project.",
    )(call)


def yes_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--yes`: do not ask."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)
