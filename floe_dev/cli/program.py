"""The `floe` program: the command group, loaded lazily, and the one place where failures become text and exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from floe_dev.cli.command_span import command_span
from floe_dev.cli.loading import FloeContext, load_command
from floe_dev.cli.output import Output
from floe_dev.cli.registry import COMMANDS
from floe_dev.errors import ExitCode, FloeError


class Terminated(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt not an Exception, so that nothing on the way swallows it."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    context_class = FloeContext

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the one command that is used."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the nearest name suggested."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of commands, by family, without loading one."""
        families: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            families.setdefault(entry.family, []).append((name, entry.help))
        width = max(map(len, COMMANDS))
        for family, rows in families.items():
            with formatter.section(family):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"floe {version('floe_dev')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--project", "-p", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The project's folder."
)
@click.option("--no-color", is_flag=True, help="No colour (also: NO_COLOR, TERM=dumb).")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show floe's version."
)
@click.pass_context
def cli(ctx: click.Context, project: Path | None, no_color: bool) -> None:
    """A local data lakehouse with one command: Iceberg catalog, Dagster, dbt and DuckDB.

    Start with `floe up` in a project, or make one with `floe init`. The project is --project, else the folder with
    floe.yaml from the working directory upwards, else the only one below it, else the only stack that is running.
    """
    output: Output = ctx.obj
    output.project_option = project
    output.no_color = output.no_color or no_color
    output.command = ctx.invoked_subcommand or ""
    if ctx.invoked_subcommand is None:
        # In a terminal the program alone is the dashboard; anywhere else it tells what it can do.
        if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            ctx.exit(int(ctx.invoke(load_command("dashboard")) or 0))
        raise click.exceptions.NoArgsIsHelpError(ctx)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code (see `ExitCode`); no exception leaves this function."""
    output = Output(arguments=tuple(arguments))
    with command_span() as told:
        told.exit_code = _run(output, arguments)
        told.name, told.project = output.command, output.project
    return told.exit_code


def _run(output: Output, arguments: Sequence[str]) -> int:
    try:
        with _termination():
            result = cli.main(
                args=list(arguments),
                prog_name="floe",
                standalone_mode=False,
                obj=output,
            )
            sys.stdout.flush()
        return _code(result)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        return _usage(output, error)
    except click.Abort as abort:
        interrupted = isinstance(abort.__context__, KeyboardInterrupt) or isinstance(abort.__cause__, KeyboardInterrupt)
        output.say("interrupted" if interrupted else "aborted")
        return ExitCode.INTERRUPTED if interrupted else ExitCode.FAILED
    except KeyboardInterrupt:
        output.say("interrupted")
        return ExitCode.INTERRUPTED
    except Terminated:
        output.say("terminated")
        return ExitCode.TERMINATED
    except BrokenPipeError:
        # The reader (head, less) has all it wanted. Python would complain once more when it flushes at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.OK
    except FloeError as error:
        return _fail(output, error)
    except Exception as error:  # noqa: BLE001 - the last place: everything else must become a FLOE9xxx
        from floe_dev.cli.failures import as_floe_error

        return _fail(output, as_floe_error(error, output.project))


def _code(result: Any) -> int:
    return int(result) if isinstance(result, int) else ExitCode.OK


def _usage(output: Output, error: click.ClickException) -> int:
    from floe_dev.cli.naming import localize

    context = getattr(error, "ctx", None)
    if context is not None:
        output.say(context.get_usage())
    output.say(localize(f"error: {error.format_message()}"))
    if context is not None:
        output.say(localize(f"`{context.command_path} --help` shows what it takes."))
    return ExitCode.USAGE


def _fail(output: Output, error: FloeError) -> int:
    from floe_dev.cli.failures import with_installation
    from floe_dev.cli.render.errors import error_document, error_text

    error = with_installation(error)
    with contextlib.suppress(BrokenPipeError):
        if output.json_mode:
            output.document(error_document(error, project=output.project))
            sys.stdout.flush()
        output.say(error_text(error, color=output.err_color, project=output.project))
    return error.exit_code


@contextlib.contextmanager
def _termination() -> Iterator[None]:
    """SIGTERM as an exception, so that `finally` blocks stop what they started."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread (a test, a notebook): signals are somebody else's there
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
