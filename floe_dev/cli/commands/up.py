"""`floe up`: start the stack, materialize everything the first time, and say where everything is."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from floe_dev.cli.commands.run import finish
from floe_dev.cli.durations import Duration
from floe_dev.cli.failure import leaves_capsule
from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.progress import CHOICES, Choice, Recorder, make_progress

if TYPE_CHECKING:
    from floe_dev.model.runs import RunResult
    from floe_dev.session import Session, UpOptions


@click.command(short_help="Start the stack; materialize everything the first time.")
@click.option("--stack", default=None, metavar="NAME", help="A stack by name or file (default: the project's last).")
@click.option("--platform", default=None, metavar="NAME", help="A platform: platform/NAME/platform.yaml, or local.")
@click.option("--provision", is_flag=True, help="Make the platform's missing namespaces; shows them first.")
@click.option("--allow-writes", is_flag=True, help="Let this machine write into a platform that is not local.")
@click.option("--run", "run", flag_value="always", default=None, help="Materialize everything, also if it was before.")
@click.option("--no-run", "run", flag_value="never", help="Do not materialize anything.")
@click.option("--detach", "-d", is_flag=True, help="Return when the stack is ready; a first run goes on without you.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="Seconds for the stack to be ready.",
)
@click.option("--trace", is_flag=True, help="Show the start as a waterfall, with the slowest path through it.")
@click.option(
    "--budget", type=Duration(), default=None, metavar="TIME", help="Fail if it takes longer, such as 30s (CI)."
)
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="The Dagster UI's port.")
@click.option("--progress", type=click.Choice(CHOICES), default="auto", show_default=True, help="How it is shown.")
@json_option
@project_option
@pass_output
@leaves_capsule("up")
def command(
    output: Output,
    stack: str | None,
    platform: str | None,
    provision: bool,
    allow_writes: bool,
    run: str | None,
    detach: bool,
    timeout: float,
    trace: bool,
    budget: float | None,
    port: int | None,
    progress: Choice,
    as_json: bool,
    root: Path,
) -> int:
    """Start the project's stack and leave it running.

    The first time, every asset is materialized once; later starts say what is out of date. Where
    the stack runs already, this shows its status, and with --trace how it started. Ctrl-C stops
    what this command started. In a terminal the start is shown in the dashboard, which stays;
    --progress plain or live returns.
    """
    from floe_dev.session import Session, UpOptions

    session = Session(root)
    was_running = session.status()
    output.json_mode = output.json_mode or progress == "json"
    if as_json and progress == "auto":
        progress = "plain"
    if was_running is not None and was_running.ready and run != "always" and not _pending_first_run(session, run):
        if stack is not None and stack != was_running.stack:
            session.up(UpOptions(stack=stack))  # raises FLOE2105
        _already(output, root, as_json=as_json, json_lines=progress == "json")
        if trace:
            from floe_dev.cli.render.start import show_start

            show_start(output, session, 0.0, None, whole=True)
        return 0
    if provision:
        _provision(output, session, UpOptions(stack=stack, platform=platform), allow_writes=allow_writes)
    elif allow_writes:
        session.allow_writes()
    if stack is None and platform is None and progress == "auto" and _has_terminal():
        stack = _offered(output, session)
    if progress == "auto" and not (detach or as_json or trace or budget is not None) and _has_terminal():
        from floe_dev.cli.commands.dashboard import show_dashboard
        from floe_dev.model.commands import StartStack

        if platform is None:
            session.project  # noqa: B018 - a wrong configuration is told on the normal screen
        start = StartStack(stack, platform, port, timeout, first_run=run or "auto")
        return show_dashboard(output, session, start=start)
    options = UpOptions(stack=stack, timeout=timeout, port=port, platform=platform)
    started = time.monotonic()
    view = make_progress(progress, output, title=f"floe up: {root.name}", environ=os.environ, tty=sys.stderr.isatty())
    recorder = Recorder(view)
    result: RunResult | None = None
    try:
        with view:
            session.up(options, recorder.event)
            ready_after = time.monotonic() - started
            if run == "always" or _pending_first_run(session, run):
                result = session.first_run(recorder.event, always=run == "always", wait=not detach)
    except BaseException as error:
        _undo(output, session, error, was_running=was_running is not None)
        raise
    _summarize(output, session, recorder, result, time.monotonic() - started, as_json=as_json, progress=progress)
    if trace or (budget is not None and ready_after > budget):
        from floe_dev.cli.render.start import show_start

        show_start(output, session, ready_after, budget, whole=trace)
    return 0


def _has_terminal() -> bool:
    """Whether there is a screen for the dashboard, which shows the start and stays."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _offered(output: Output, session: Session) -> str | None:
    """The stack of a project's first start in a terminal: images that are missing can be waited for, or not."""
    choice = session.automatic_choice()
    if choice is None or not choice.to_pull or choice.to_build:
        return None
    from floe_dev.cli.pulling import offer

    chosen = offer(output, choice, session.download_bytes)
    output.say(chosen.line())
    return chosen.stack


def _pending_first_run(session: Session, run: str | None) -> bool:
    return run is None and not session.external and not session.first_run_done()


def _provision(output: Output, session: Session, options: UpOptions, *, allow_writes: bool) -> None:
    """Say what would be made in the platform, then make it, if writes into it are allowed."""
    planned = session.provisioning(options)
    if not planned:
        output.say("nothing is missing in the platform")
        return
    output.say("missing in the platform, to be made:")
    for item in planned:
        output.say(f"  {item}")
    if allow_writes:
        session.allow_writes()
    session.provision(planned)


def _undo(output: Output, session: Session, error: BaseException, *, was_running: bool) -> None:
    """After Ctrl-C or SIGTERM stop what this command started; an error has stopped it, or leaves it to be looked at."""
    if isinstance(error, Exception) or was_running:
        return
    output.say("stopping what was started …")
    session.down()
    output.say(f"stopped; nothing is left running. Start again with: {floe_command('up', project=session.root)}")


def _already(output: Output, root: Path, *, as_json: bool, json_lines: bool) -> None:
    from floe_dev.cli.render.status import overall, status_text
    from floe_dev.supervisor.quick import quick_status

    status = quick_status(root) or {}
    if as_json or json_lines:
        write = output.document if as_json else output.line
        write({**status, "running": True, "state": overall(status), "alreadyRunning": True})
        return
    output.say("the stack is already running")
    output.data(status_text(status, color=output.color, unicode=output.unicode, width=output.width))
    output.say(f"stop it with: {floe_command('down', project=root)}")


def _summarize(
    output: Output,
    session: Session,
    recorder: Recorder,
    result: RunResult | None,
    seconds: float,
    *,
    as_json: bool,
    progress: Choice,
) -> None:
    from floe_dev.cli.render.summary import Summary, summary_text

    status = session.status()
    assert status is not None, "it was ready a moment ago"
    tables = [info for info in session.tables() if info.kind == "table"]
    missing, stale = session.out_of_date()
    steps = [*recorder.rows.of("service"), *recorder.rows.of("step")]
    if as_json or progress == "json":
        content: dict[str, Any] = {
            **status.model_dump(mode="json", by_alias=True),
            "running": True,
            "alreadyRunning": False,
            "seconds": round(seconds, 3),
            "tables": [{"name": info.identifier, "rows": info.rows} for info in tables],
            "missing": missing,
            "stale": stale,
            "run": result.model_dump(mode="json", by_alias=True) if result is not None else None,
        }
        finish(output, content, result, as_json=as_json, json_lines=not as_json)
        return
    if progress == "quiet":
        finish(output, {}, result, as_json=False, json_lines=False)
        return
    query = _example(session, [info.identifier for info in tables if info.rows])
    text = summary_text(
        Summary(
            project=session.project.spec.name,
            stack=status.stack,
            seconds=seconds,
            steps=steps,
            tables=[(info.identifier, info.rows) for info in tables],
            urls=list(status.urls.items()),
            services=[service.name for service in status.services],
            missing=missing,
            stale=stale,
            sql=query,
            run=floe_command("run", "--stale", project=session.root),
            down=floe_command("down", project=session.root),
        ),
        color=output.color,
        unicode=output.unicode,
        width=output.width,
    )
    output.data(text)
    finish(output, {}, result, as_json=False, json_lines=False)


def _example(session: Session, names: list[str]) -> str | None:
    """A query worth trying: of the last layer's first table, for that is what the project is for."""
    for namespace in reversed(session.project.namespaces()):
        for name in names:
            if name.startswith(f"{namespace}."):
                return floe_command("sql", f"from {name} limit 5", project=session.root)
    return None
