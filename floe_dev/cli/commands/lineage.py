"""`floe lineage`: what an asset is made from, and what is made from it."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.sessions import session_of

_FORMS = ("tree", "mermaid", "dot")


@click.command(short_help="Show what an asset is made from, and what is made from it.")
@click.argument("asset")
@click.option("--up", "direction", flag_value="up", default=None, help="Only what it is made from.")
@click.option("--down", "direction", flag_value="down", help="Only what is made from it.")
@click.option("--depth", type=click.IntRange(1), default=None, help="At most so many steps away.")
@click.option("--columns", is_flag=True, help="Columns too, as far as a producer told them.")
@click.option("--format", "form", type=click.Choice(_FORMS), default="tree", show_default=True, help="How it is shown.")
@json_option
@project_or_capsule_option
@pass_output
def command(
    output: Output,
    asset: str,
    direction: str | None,
    depth: int | None,
    columns: bool,
    form: str,
    as_json: bool,
    root: Path,
) -> None:
    """Show the lineage of ASSET (gold/metrics or gold.metrics).

    It comes from the OpenLineage events of past runs, floe's own and those of others that sent theirs to the stack,
    and from Dagster's graph while the stack runs. floe never parses SQL: columns are shown where a producer told them.
    """
    from floe_dev.errors import Code, FloeError
    from floe_dev.telemetry.graph import dot, mermaid, tree

    focus = asset.replace("/", ".")
    graph = session_of(output, root).lineage(focus, depth=depth)
    if not graph.edges:
        raise FloeError(Code.NO_LINEAGE, f"nothing is known of {focus}", why="no event names it", fix="floe run")
    if direction is not None:
        keep = {name for _, name in tree(graph, up=direction == "up")}
        edges = tuple(edge for edge in graph.edges if {edge.source, edge.target} <= keep)
        graph = graph.model_copy(update={"edges": edges, "datasets": tuple(sorted(keep))})
    if as_json:
        output.document(graph.model_dump(mode="json"))
        return
    if form != "tree":
        output.data(mermaid(graph) if form == "mermaid" else dot(graph))
        return
    for up in (True, False):
        if direction in (None, "up" if up else "down"):
            lines = tree(graph, up=up)
            output.data(("made from" if up else "makes") + ("" if len(lines) > 1 else ": nothing known"))
            for level, name in lines if len(lines) > 1 else []:
                output.data("  " * (level + 1) + name)
    if columns:
        output.data("columns" if graph.columns else "columns: no producer told them (floe parses no SQL)")
        for edge in graph.columns:
            output.data(f"  {edge.source}.{edge.source_column} -> {edge.target}.{edge.target_column}")
