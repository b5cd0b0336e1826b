"""`floe run`: materialize assets and show how it goes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from floe_dev.cli.failure import leaves_capsule
from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.progress import CHOICES, Choice, Recorder, make_progress

if TYPE_CHECKING:
    from floe_dev.model.runs import RunResult


@click.command(short_help="Materialize assets and show how it goes.")
@click.argument("selection", nargs=-1)
@click.option("--stale", is_flag=True, help="What is out of date or was never materialized, and what is made from it.")
@click.option("--partition", default=None, metavar="KEY", help="One partition, or FIRST..LAST (default: all).")
@click.option("--allow-writes", is_flag=True, help="Let runs write into a platform that is not local, from now on.")
@click.option("--progress", type=click.Choice(CHOICES), default="auto", show_default=True, help="How it is shown.")
@json_option
@project_option
@pass_output
@leaves_capsule("run")
def command(
    output: Output,
    selection: tuple[str, ...],
    stale: bool,
    partition: str | None,
    allow_writes: bool,
    progress: Choice,
    as_json: bool,
    root: Path,
) -> None:
    """Materialize the assets of SELECTION (default: all) and wait.

    SELECTION is Dagster's syntax: an asset's key (gold/metrics), `key*` with what depends on it, `*key` with what it is
    made from, group:NAME, tag:KEY=VALUE; several are joined. Exit code 7 if an asset failed.
    """
    if stale and selection:
        raise click.UsageError("--stale and a SELECTION exclude each other")
    from floe_dev.cli.render.runs import interrupted_text, run_text
    from floe_dev.session import Session

    session = Session(root)
    session.require_running()
    if allow_writes:
        session.allow_writes()
    if stale:
        selection = tuple(session.stale_closure())
        if not selection:
            output.say("everything is up to date")
            if as_json:
                output.document({"runId": None, "status": "success", "seconds": 0, "materialized": [], "failed": []})
            return
    output.json_mode = output.json_mode or progress == "json"
    if as_json and progress == "auto":
        progress = "plain"
    title = f"floe run {' '.join(selection) if len(selection) < 4 else f'{len(selection)} assets'}".rstrip()
    recorder = Recorder(make_progress(progress, output, title=title, environ=os.environ, tty=sys.stderr.isatty()))
    try:
        with recorder.view:
            result = session.run(selection, recorder.event, partition=partition)
    except BaseException as error:
        if not isinstance(error, Exception):
            told = interrupted_text(recorder.rows, floe_command("dashboard", project=root))
            output.say(told or "no run was started")
        raise
    if progress not in ("json", "quiet") and not as_json:
        output.data(run_text(result, color=output.color, unicode=output.unicode))
    finish(
        output, result.model_dump(mode="json", by_alias=True), result, as_json=as_json, json_lines=progress == "json"
    )


def finish(
    output: Output, content: dict[str, Any], result: RunResult | None, *, as_json: bool, json_lines: bool
) -> None:
    """Write the one closing JSON document (or line), the error of a failed run inside it; raise that error."""
    from floe_dev.cli.render.errors import error_document
    from floe_dev.errors import FloeError
    from floe_dev.model.runs import raise_if_failed

    failure: FloeError | None = None
    try:
        if result is not None:
            raise_if_failed(result)
    except FloeError as error:
        failure = error
        content = {**content, **error_document(error, project=output.project)}
    if as_json:
        output.document(content)
    elif json_lines:
        output.line({"kind": "summary", "time": time.time(), "name": "", "data": content})
    if failure is not None:
        output.json_mode = False  # it is in the document above; stdout carries one and not two
        raise failure
