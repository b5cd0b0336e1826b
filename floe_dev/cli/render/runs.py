"""The outcome of a run as text."""

from __future__ import annotations

from floe_dev.cli.render.style import paint, state_text
from floe_dev.model.runs import RunResult
from floe_dev.model.units import duration

_WORDS = {"success": "done", "failure": "failed", "canceled": "canceled", "running": "running"}


def run_text(result: RunResult, *, color: bool, unicode: bool) -> str:
    """One headline, then the assets that were not tried; failures are told by the error that follows."""
    state = state_text(_WORDS.get(result.status, result.status), color=color, unicode=unicode)
    counts = [f"{len(result.materialized)} materialized"]
    if result.failed:
        counts.append(f"{len(result.failed)} failed")
    if result.skipped:
        counts.append(f"{len(result.skipped)} not tried")
    lines = [f"{state}  {', '.join(counts)} in {duration(result.seconds)}"]
    if result.skipped:
        lines.append(f"  {paint('not tried:', 'dim', color=color)} {', '.join(result.skipped)}")
    if result.url:
        lines.append(f"  {paint('run', 'dim', color=color)} {result.url}")
    return "\n".join(lines)
