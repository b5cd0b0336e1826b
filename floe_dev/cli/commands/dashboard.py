"""`floe dashboard`: the lakehouse on one screen, alive."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.naming import floe_command, portable
from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.errors import Code, ExitCode, FloeError

if TYPE_CHECKING:
    from floe_dev.config.dashboard import DashboardSettings
    from floe_dev.model.commands import StartStack
    from floe_dev.session import Session
    from floe_dev.tui.app import DashboardApp

THEMES = ("dark", "light", "contrast", "mono")


@click.command(short_help="Show the stack live: services, assets, tables, traces.")
@click.option("--read-only", is_flag=True, help="Show everything, change nothing.")
@click.option(
    "--theme",
    type=click.Choice(THEMES),
    default=None,
    help="Colours (default: what the terminal can show).",
)
@click.option("--web", is_flag=True, help="Serve it to a browser on this machine, behind a token, until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="With --web: the port (default: a free one).")
@project_option
@pass_output
def command(output: Output, read_only: bool, theme: str | None, web: bool, port: int | None, root: Path) -> int:
    """Open the dashboard on the project's stack; where it does not run, S starts it.

    `?` shows the keys. Leaving with q leaves the stack running.
    """
    from floe_dev.session import Session

    if web:
        return _serve(output, root, read_only=read_only, theme=theme, port=port)
    # In a browser's tab textual-serve is the terminal, over pipes.
    if not (os.environ.get("TEXTUAL_DRIVER") or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise FloeError(
            Code.DASHBOARD_NO_TERMINAL,
            "the dashboard needs a terminal",
            why="standard input or output is not one",
            fix=floe_command("status", project=root),
        )
    return show_dashboard(output, Session(root), read_only=read_only, theme=theme)


def _serve(output: Output, root: Path, *, read_only: bool, theme: str | None, port: int | None) -> int:
    from floe_dev.dashboard.web import DashboardServer

    command = [sys.executable, "-m", "floe_dev.cli", "dashboard", "--project", str(root)]
    command += ["--read-only"] if read_only else []
    command += ["--theme", theme] if theme is not None else []
    server = DashboardServer(command, port or 0)
    output.data(server.address)
    output.say("open this address; Ctrl-C ends the page, the stack goes on running")
    sys.stdout.flush()
    server.run()
    return ExitCode.OK


def show_dashboard(
    output: Output,
    session: Session,
    *,
    read_only: bool = False,
    theme: str | None = None,
    start: StartStack | None = None,
) -> int:
    """Run the dashboard until it is left, then say on the normal screen what goes on running."""
    from floe_dev.config.dashboard import load_settings
    from floe_dev.dashboard import LocalBackend
    from floe_dev.tui.app import DashboardApp

    settings = load_settings()
    theme = theme or _theme(output, settings)
    backend = LocalBackend(session, read_only=read_only, export=lambda title: _capsule(session, title))
    backend.start()
    app = DashboardApp(
        backend,
        read_only=read_only,
        start=start,
        theme=theme,
        keys=settings.keys,
        notify_by=settings.notify,
        portable=lambda text: portable(text, session.root),
    )
    try:
        result = _run(app)
    finally:
        backend.stop()
    stack = backend.state.stack
    error = app.start_error or stack.error
    if error is not None and result != "stopped":
        raise error
    if result == "gave-up":
        output.say("stopping what was started …")
        session.down()
        again = floe_command("up", project=session.root)
        output.say(f"stopped; nothing is left running. Start again with: {again}")
        return ExitCode.INTERRUPTED
    if result == "stopped":
        output.say("the stack is stopped; data stay")
    elif stack.phase in ("ready", "degraded", "starting"):
        output.say("the stack goes on running")
        for name, url in stack.urls.items():
            output.data(f"  {name:<8} {url}")
        tables = [table for table in backend.state.tables.items if table.rows]
        if tables:
            query = floe_command("sql", f"from {tables[0].identifier} limit 5", project=session.root)
            output.data(f"  {'query':<8} {query}")
        output.data(f"  {'stop':<8} {floe_command('down', project=session.root)}")
    else:
        output.say(f"the stack is not running; start it with: {floe_command('up', project=session.root)}")
    return int(app.return_code or ExitCode.OK)


def _theme(output: Output, settings: DashboardSettings) -> str:
    """The look that was not asked for on the command line.

    Textual greys out any look where `NO_COLOR` is set, but the row that is selected is then hard to see in it. The soft
    colours of the dark look are next to white among 16: a fresh asset and a failed one are the same.
    """
    from rich.console import Console

    if output.no_color or os.environ.get("NO_COLOR"):
        return "mono"
    if settings.theme is not None:
        return settings.theme
    return "contrast" if Console().color_system in ("standard", "windows") else "dark"


def _run(app: DashboardApp) -> str | None:
    """Run it in this terminal, and end with it: also where our parent ignores hang-ups (nohup), which is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    return app.run()


def _capsule(session: Session, title: str) -> Path:
    from floe_dev.capsule.create import create, default_file

    return create(session, default_file(session.layout, "dashboard"), title=title)


def show_capsule(output: Output, session: Session) -> int:
    """Run the dashboard on a capsule until it is left."""
    from floe_dev.capsule.backend import CapsuleBackend
    from floe_dev.capsule.offline import OfflineSession
    from floe_dev.config.dashboard import load_settings
    from floe_dev.tui.app import DashboardApp

    assert isinstance(session, OfflineSession)
    settings = load_settings()
    theme = _theme(output, settings)
    app = DashboardApp(
        CapsuleBackend(session),
        read_only=True,
        theme=theme,
        keys=settings.keys,
        portable=lambda text: portable(text, session.root),
    )
    _run(app)
    return int(app.return_code or ExitCode.OK)
