"""A FloeError as the user sees it: what, where, why, the fix, and how to learn more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from floe_dev.cli.naming import floe_command, localize
from floe_dev.cli.render.style import paint
from floe_dev.errors import FloeError


def error_text(error: FloeError, *, color: bool, project: Path | None = None) -> str:
    """The error as lines for stderr; the first carries the code, `fix:` one command or edit."""
    head = f"{paint('error', 'red', 'bold', color=color)} {paint(error.code.id, 'bold', color=color)}"
    lines = [f"{head}: {localize(error.what, project)}"]

    def part(label: str, text: str, *styles: str) -> None:
        first, *rest = localize(text, project).splitlines() or [""]
        lines.append(f"  {paint(label + ':', *styles, color=color)} {first}")
        lines.extend(f"    {line}" for line in rest)

    if error.where is not None:
        part("at", _relative(str(error.where)), "cyan")
    if error.why:
        part("why", error.why, "yellow")
    bar = paint("|", "dim", color=color)
    lines.extend(f"  {bar} {line}" for line in error.detail)
    if error.fix:
        part("fix", error.fix, "green")
    lines.append(f"  {paint('more:', 'dim', color=color)} {floe_command('explain', error.code.id)}")
    return "\n".join(lines)


def error_document(error: FloeError, *, project: Path | None = None) -> dict[str, Any]:
    """The error as JSON content: `{"error": {code, title, what, why, fix, where, detail, exitCode}}`."""
    content = error.to_json()
    for key in ("what", "why", "fix"):
        if content[key]:
            content[key] = localize(content[key], project)
    return {"error": {"title": error.code.kind.title, **content, "exitCode": int(error.exit_code)}}


def _relative(place: str) -> str:
    here = os.getcwd() + os.sep  # noqa: PTH109 - text replacement, not a path operation
    return place.removeprefix(here)
