"""`floe blame`: which snapshot, run, node and git commit last changed each column of one row."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output


@click.command(short_help="Show who last changed each column of one row.")
@click.argument("table")
@click.option("--key", "keys", multiple=True, required=True, metavar="COLUMN=VALUE", help="Names the row; repeatable.")
@json_option
@project_option
@pass_output
def command(output: Output, table: str, keys: tuple[str, ...], as_json: bool, root: Path) -> None:
    """For each column of the row of TABLE that --key names: the snapshot, run, trace, dbt node and git commit.

    The row is looked up in every snapshot that is kept, from the newest back.
    """
    from floe_dev.cli.render.tables import table as text_table
    from floe_dev.cli.render.traces import SHORT, made_by, when_text
    from floe_dev.cli.sessions import joined
    from floe_dev.session import Session
    from floe_dev.telemetry.blame import blame

    key = {}
    for each in keys:
        column, separator, value = each.partition("=")
        if not separator:
            raise click.UsageError(f"--key takes COLUMN=VALUE, not {each!r}")
        key[column] = value
    session = Session(root)
    info = session.table(table.replace("/", "."))
    history = joined(output, session, tables=[info]).history(info)
    found = blame(session.catalog().load_table((*info.namespace, info.name)), key, history)
    if as_json:
        output.document({"table": info.identifier, "columns": [column.model_dump(mode="json") for column in found]})
        return
    rows = []
    for blamed in found:
        link = blamed.snapshot
        rows.append(
            (
                blamed.column,
                str(blamed.value),
                f"{link.number} ({link.snapshot_id})" if link else "",
                ("before " if blamed.oldest_known else "") + when_text(link.committed_ms / 1000, width=output.width)
                if link
                else "",
                (link.run_id or "")[:8] if link else "",
                (link.trace_id or "")[:SHORT] if link else "",
                made_by(link) or (link.asset or "" if link.run_id else "") if link else "",
                (link.git_commit or "")[:8] + ("+" if link.git_dirty else "") if link else "",
            )
        )
    columns = ("column", "value", "snapshot", "changed", "run", "trace", "made by", "git")
    told = [blamed.snapshot for blamed in found if blamed.snapshot is not None]
    # A run's trace begins like the run.
    spare = (*(("trace",) if all(link.run_id for link in told) else ()), "changed")
    whole = ("run", "trace", "snapshot")
    output.data(text_table(columns, rows, width=output.width, color=output.color, spare=spare, whole=whole))
