"""The outcome of a run as text."""

from __future__ import annotations

from floe_dev.cli.render.rows import Rows
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


def interrupted_text(rows: Rows, look: str) -> str:
    """What became of a run that was interrupted, and what had ended before; empty where none was started.

    `look` is the command that shows what becomes of one that has not ended.
    """
    runs = [row for row in rows.of("step") if row.name.startswith("run of ")]
    if not runs:
        return ""
    if runs[-1].state == "stopping":
        return f"the run was told to end, and has not yet; see {look}"
    made = ", ".join(row.name for row in rows.of("asset") if row.state == "done")
    how = "is canceled" if runs[-1].state == "canceled" else f"had ended before that: {runs[-1].state}"
    return f"the run {how}; " + (f"made before, and kept: {made}" if made else "nothing was made before")
