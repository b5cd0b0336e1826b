"""`floe status`: what is running, where, since when, and why something is not."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.errors import ExitCode

_WATCH_SECONDS = 1.0


@click.command(short_help="Show what is running, where, and since when.")
@click.option("--watch", "-w", is_flag=True, help="Show it again whenever it changes, until Ctrl-C.")
@json_option
@project_or_capsule_option
@pass_output
def command(output: Output, watch: bool, as_json: bool, root: Path) -> int:
    """Show the stack's services; exit code 0 if it is ready, 4 if it is not running, 6 if something is not ready.

    With --watch and --json: one line of JSON for every change.
    """
    from floe_dev.supervisor.quick import quick_status

    if output.capsule is not None:
        return _of_capsule(output, root, as_json)
    if watch:
        return _watch(output, root, as_json)
    status = quick_status(root)
    _show(output, root, status, as_json)
    return exit_code(status)


def _of_capsule(output: Output, root: Path, as_json: bool) -> ExitCode:
    from floe_dev.cli.commands.capsule import show_text
    from floe_dev.cli.sessions import session_of

    session = session_of(output, root)
    found = session.status()
    status = found.model_dump(mode="json", by_alias=True) if found is not None else None
    if not as_json:
        show_text(output, session, as_json=False)
    if status is not None or as_json:
        _show(output, root, status, as_json)
    return exit_code(status)


def exit_code(status: dict[str, Any] | None) -> ExitCode:
    """The exit code that tells the status."""
    from floe_dev.cli.render.status import overall

    if status is None:
        return ExitCode.NOT_RUNNING
    return ExitCode.OK if overall(status) == "ready" else ExitCode.SERVICE_FAILED


def _show(output: Output, root: Path, status: dict[str, Any] | None, as_json: bool) -> None:
    from floe_dev.cli.render.status import overall, status_text
    from floe_dev.orchestrators.dagster.watch import read_report, report_text

    if as_json:
        if status is None:
            output.document({"project": str(root), "running": False, "state": "stopped", "services": []})
        else:
            told = read_report(root)
            more = {"reload_error": told} if told else {}
            output.document({**status, "running": True, "state": overall(status), **more})
        return
    if status is None:
        from floe_dev.cli.render.style import state_text

        output.data(f"{state_text('stopped', color=output.color, unicode=output.unicode)}  {root}")
        output.say(f"start it with: {floe_command('up', project=root)}")
        return
    output.data(status_text(status, color=output.color, unicode=output.unicode, width=output.width))
    if (told := read_report(root)) is not None:
        output.data(report_text(told))


def _watch(output: Output, root: Path, as_json: bool) -> int:
    from floe_dev.cli.render.status import overall
    from floe_dev.supervisor.quick import quick_status

    before: object = ()
    while True:
        status = quick_status(root)
        # Durations change all the time; a new picture is one in which something else did.
        if status != before or (sys.stdout.isatty() and not as_json):
            before = status
            if as_json:
                known = status or {"project": str(root), "services": []}
                output.line({**known, "running": status is not None, "state": overall(status) if status else "stopped"})
            else:
                if sys.stdout.isatty():
                    output.data("\x1b[H\x1b[2J", end="")
                _show(output, root, status, as_json=False)
                sys.stdout.flush()
        time.sleep(_WATCH_SECONDS)
