"""`floe history`: a table's snapshots, each with the run and the trace that made it."""

from __future__ import annotations

from pathlib import Path

import click

from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output


@click.command(short_help="Show a table's snapshots with run and trace; compare two.")
@click.argument("what", metavar="TABLE|SNAPSHOT")
@click.option("--diff", nargs=2, default=None, metavar="A B", help="Compare two snapshots (number or id).")
@json_option
@project_option
@pass_output
def command(output: Output, what: str, diff: tuple[str, str] | None, as_json: bool, root: Path) -> None:
    """Show the snapshots of TABLE (gold.metrics or gold/metrics), newest first, or where SNAPSHOT (its id) comes from.

    A run or trace with a question mark was concluded from the time of the commit: the snapshot carries no stamp.
    `--diff A B` compares schema, rows and files of two snapshots.
    """
    from floe_dev.cli.render.traces import history_text, links_text
    from floe_dev.errors import Code, FloeError
    from floe_dev.session import Session

    session = Session(root)
    if what.isdigit():
        links = session.join().of_snapshot(int(what))
        if not links.snapshots:
            raise FloeError(Code.NO_LINEAGE, f"no table has a snapshot {what}", fix="floe tables")
        if as_json:
            output.document(links.model_dump(mode="json"))
            return
        output.data(links_text(links, color=output.color, width=output.width))
        return
    info = session.table(what.replace("/", "."))
    if diff is not None:
        from floe_dev.catalogs.inspect import diff as compare
        from floe_dev.catalogs.inspect import find_snapshot, open_table
        from floe_dev.cli.commands.tables import difference_document
        from floe_dev.cli.render.table_detail import difference_text

        before, after = (find_snapshot(info, each) for each in diff)
        found = compare(open_table(session.connection(), info), info, before, after)
        if as_json:
            output.document(difference_document(found))
        else:
            output.data(difference_text(found, output))
        return
    history = session.join(tables=[info]).history(info)
    if as_json:
        output.document({"table": info.identifier, "snapshots": [link.model_dump(mode="json") for link in history]})
    elif history:
        output.data(history_text(history, color=output.color, width=output.width))
    else:
        output.say(f"nobody has written to {info.identifier} yet")
