"""`floe runs`: Dagster's runs, and what one of them changed."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.sessions import joined, session_of


@click.command(short_help="List runs; show the trace and the snapshots of one.")
@click.argument("run", required=False)
@click.option("--asset", default=None, help="Runs that made this asset, such as gold/metrics.")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@json_option
@project_or_capsule_option
@pass_output
def command(output: Output, run: str | None, asset: str | None, limit: int, as_json: bool, root: Path) -> None:
    """List the latest runs, or show RUN (the beginning of its id is enough): its trace, assets and snapshots.

    Runs that Dagster has forgotten are shown from their traces and from the stamps of their snapshots.
    """
    from floe_dev.cli.render.traces import links_text, runs_text
    from floe_dev.errors import Code, FloeError

    session = session_of(output, root)
    if run is not None:
        links = joined(output, session).of_run(run)
        if not links.runs:
            raise FloeError(Code.NO_LINEAGE, f"no run begins with {run!r}", fix="floe runs")
        if as_json:
            output.document(links.model_dump(mode="json"))
            return
        output.data(links_text(links, color=output.color, width=output.width))
        return
    if asset is not None:
        found = list(joined(output, session, runs=limit).of_asset(asset).runs)[:limit]
    else:
        found = joined(output, session, tables=(), runs=limit).runs(limit)
    if as_json:
        output.document({"runs": [each.model_dump(mode="json") for each in found]})
    elif found:
        output.data(runs_text(found, color=output.color, width=output.width))
    else:
        output.say("no runs yet")
