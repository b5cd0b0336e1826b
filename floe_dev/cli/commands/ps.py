"""`floe ps`: every stack of this user on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output
from floe_dev.errors import FloeError
from floe_dev.model.units import duration


@click.command(short_help="List every stack of this user.")
@click.option("--all", "-a", "everything", is_flag=True, help="Also those that are not running.")
@json_option
@pass_output
def command(output: Output, everything: bool, as_json: bool) -> None:
    """List the stacks of this user that are running."""
    from floe_dev.cli.render.status import overall
    from floe_dev.cli.render.style import state_color, state_text
    from floe_dev.cli.render.tables import Painted, table
    from floe_dev.supervisor.quick import quick_status
    from floe_dev.supervisor.registry import registered

    def seen(root: Path) -> dict[str, Any] | None:
        try:
            return quick_status(root)
        except FloeError as error:
            return {"services": [{"name": "supervisor", "state": "hung", "reason": error.why}]}

    found = [(root, seen(root)) for root in registered()]
    shown = [(root, status) for root, status in found if everything or status is not None]
    if as_json:
        output.document(
            {
                "stacks": [
                    {"project": str(root), "running": True, **status, "state": overall(status)}
                    if status is not None
                    else {"project": str(root), "running": False, "state": "stopped"}
                    for root, status in shown
                ]
            }
        )
        return
    if not shown:
        output.say("no stack is running")
        return
    rows = []
    for root, status in shown:
        state = overall(status) if status is not None else "stopped"
        since = (status or {}).get("started_at")
        rows.append(
            (
                Painted(state_text(state, color=False, unicode=output.unicode), state_color(state)),
                str(root),
                (status or {}).get("stack", ""),
                duration(time.time() - since) if since else "",
                ((status or {}).get("urls") or {}).get("dagster", ""),
            )
        )
    output.data(table(("state", "project", "stack", "up", "dagster"), rows, width=output.width, color=output.color))
