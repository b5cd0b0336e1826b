"""A stack's status as text, from its JSON form: `floe status` answers before pydantic would be imported."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from floe_dev.cli.render.style import paint, state_color, state_text
from floe_dev.cli.render.tables import Painted, table
from floe_dev.model.units import duration


def status_text(
    status: Mapping[str, Any], *, color: bool, unicode: bool, width: int | None, now: float | None = None
) -> str:
    """The whole status: a headline, one row for each service, addresses, and what failed and why."""
    now = time.time() if now is None else now
    state = overall(status)
    since = status.get("started_at")
    name = paint(str(status.get("project", "")), "bold", color=color)
    parts = [state_text(state, color=color, unicode=unicode), name]
    lasts = duration(now - since) if since else ""
    note = f"stack {status.get('stack', '?')}" + (f", for {lasts}" if lasts else "")
    lines = ["  ".join([*parts, paint(note, "dim", color=color)])]
    services = list(status.get("services") or ())
    if services:
        rows = [_row(service, now, unicode) for service in services]
        lines.append(
            table(("service", "state", "port", "up", "restarts", "note"), rows, width=width, color=color, indent="  ")
        )
    failed = [step for step in status.get("steps") or () if step.get("state") == "failed"]
    lines += [f"  {paint('failed', 'red', color=color)} step {s['name']}: {s.get('detail') or ''}" for s in failed]
    urls = status.get("urls") or {}
    label_width = max(map(len, urls), default=0)
    lines += [f"  {paint(name.ljust(label_width), 'dim', color=color)}  {url}" for name, url in urls.items()]
    return "\n".join(lines)


def overall(status: Mapping[str, Any]) -> str:
    """One word for the whole stack: ready, failed, hung or starting; `ready` only if every service is."""
    states = {service.get("state") for service in status.get("services") or ()}
    for state in ("failed", "hung"):
        if state in states:
            return state
    return "ready" if status.get("ready") and states <= {"ready"} else "starting"


def _row(service: Mapping[str, Any], now: float, unicode: bool) -> list[Any]:
    state = str(service.get("state", "?"))
    ready_at = service.get("ready_at")
    return [
        service.get("name"),
        Painted(state_text(state, color=False, unicode=unicode), state_color(state)),
        service.get("port"),
        duration(now - ready_at) if ready_at and state == "ready" else "",
        service.get("restarts") or None,
        service.get("reason") or (f"before: {service['last_end']}" if service.get("last_end") else ""),
    ]
