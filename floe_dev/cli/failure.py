"""The capsule that a failed command leaves in the project, and the two lines that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from floe_dev.cli.naming import floe_command
from floe_dev.cli.output import output_of
from floe_dev.errors import Code, ExitCode, FloeError

P = ParamSpec("P")
R = TypeVar("R")
#: What a capsule explains: something ran and failed. A wrong option or a wrong file explains itself.
_WORTH = frozenset((ExitCode.SERVICE_FAILED, ExitCode.TIMEOUT, ExitCode.RUN_FAILED))


def leaves_capsule(kind: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorate a command that gets `root`: if it fails by what ran, it leaves `.floe/capsules/<time>-<kind>.zip`."""

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @wraps(function)
        def call(*args: Any, root: Path, **kwargs: Any) -> R:
            try:
                return function(*args, root=root, **kwargs)
            except FloeError as error:
                if error.exit_code in _WORTH and error.code is not Code.RUN_CANCELED:
                    leave(root, kind, error)
                raise

        return call

    return decorate


def leave(root: Path, kind: str, error: FloeError, file: Path | None = None) -> Path | None:
    """Write the capsule of what just failed and say where it is; None if it cannot be written."""
    import click

    from floe_dev.capsule.create import automatic
    from floe_dev.session import Session

    output = output_of(click.get_current_context())
    made = automatic(Session(root), kind, error, file)
    if made is not None:
        output.say(f"everything about it: {floe_command('open', str(made))}")
    return made
