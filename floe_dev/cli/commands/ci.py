"""`floe ci`: the stack for a CI job: up without a terminal, a program with its environment, and down again."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output

if TYPE_CHECKING:
    from floe_dev.cli.ci.job import Job

ANNOTATIONS = ("auto", "github", "gitlab", "none")


@click.command(
    name="ci",
    short_help="Start the stack in a CI job; run a program with it.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@click.option("--stack", default=None, metavar="NAME", help="A stack by name or file (default: the project's last).")
@click.option(
    "--deadline",
    type=click.FloatRange(min=1),
    default=1800.0,
    show_default=True,
    help="Seconds for everything: start, run and program.",
)
@click.option("--run/--no-run", default=None, help="Materialize everything first (default: if no PROGRAM is given).")
@click.option(
    "--annotations", type=click.Choice(ANNOTATIONS), default="auto", show_default=True, help="Marks for the job's log."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), default=None, help="A JUnit report.")
@click.option(
    "--capsule",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("floe-capsule.zip"),
    show_default=True,
    help="Where the capsule goes if something fails.",
)
@click.option("--keep", is_flag=True, help="Leave the stack up after PROGRAM.")
@click.option("--prefetch", is_flag=True, help="Only get what a start needs: images, dbt packages.")
@click.option(
    "--cache-key", type=click.Choice(["packages", "images"]), default=None, help="Only print the key for a cache."
)
@json_option
@project_option
@pass_output
def command(
    output: Output,
    program: tuple[str, ...],
    stack: str | None,
    deadline: float,
    run: bool | None,
    annotations: str,
    junit: Path | None,
    capsule: Path,
    keep: bool,
    prefetch: bool,
    cache_key: str | None,
    as_json: bool,
    root: Path,
) -> int:
    """Start the stack for a CI job, and with PROGRAM run that with the stack's environment and stop the stack again.

    \b
    floe ci -- pytest -n auto
    floe ci && floe exec -- dbt build && floe down

    A service that crashes ends it at once; a slow one has until the deadline. PROGRAM's exit code is the exit code. If
    anything fails, a capsule tells what happened: keep it as an artifact of the job and look into it with `floe open`.
    """  # noqa: D301 - click's mark for lines it must not join
    from floe_dev.cli.ci import cache

    if cache_key is not None:
        key = cache.key(cache_key, root, stack)
        if as_json:
            output.document({"key": key, "paths": cache.paths(cache_key, root)})
        else:
            output.data(key)
        return 0
    if prefetch:
        cache.prefetch(output, root, stack)
        return 0
    from floe_dev.cli.ci.annotations import marker
    from floe_dev.cli.ci.job import Job

    marks = marker(annotations, os.environ)
    job = Job(output, root, marks, time.monotonic() + deadline, capsule.absolute())
    try:
        return _carry_out(job, program, stack=stack, run=not program if run is None else run, keep=keep)
    finally:
        if junit is not None:
            from floe_dev.cli.ci.junit import write_report

            write_report(junit.absolute(), root.name, job.cases)
        sys.stdout.flush()


def _carry_out(job: Job, program: tuple[str, ...], *, stack: str | None, run: bool, keep: bool) -> int:
    if program:
        job.find(program[0])
    try:
        job.up(stack)
        if run:
            job.materialize()
        if not program:
            job.tell_how_to_use()
            return 0
        return job.program(program)
    except BaseException:
        # A job that has to go on after a failure says so with --keep; nobody else is there to stop the stack.
        program = program or ("",)
        raise
    finally:
        if program and not keep:
            job.down()
