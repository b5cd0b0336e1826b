"""`floe history`: a table's snapshots, each with the run and the trace that made it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.sessions import joined, session_of

if TYPE_CHECKING:
    from floe_dev.model.tables import TableInfo
    from floe_dev.session import Session


@click.command(short_help="Show a table's snapshots with run and trace; compare two.")
@click.argument("what", metavar="TABLE|SNAPSHOT")
@click.option("--diff", nargs=2, default=None, metavar="A B", help="Compare two snapshots (number or id).")
@click.option("--key", "keys", multiple=True, metavar="COLUMN", help="--diff: tells rows apart; repeatable.")
@click.option(
    "--limit", "-n", type=click.IntRange(0, 10_000), default=20, show_default=True, help="--diff: rows shown."
)
@json_option
@project_or_capsule_option
@pass_output
def command(
    output: Output,
    what: str,
    diff: tuple[str, str] | None,
    keys: tuple[str, ...],
    limit: int,
    as_json: bool,
    root: Path,
) -> None:
    """Show the snapshots of TABLE (gold.metrics or gold/metrics), newest first, or where SNAPSHOT (its id) comes from.

    A run or trace with a question mark was concluded from the time of the commit: the snapshot carries no stamp.
    `--diff A B` compares schema, files and rows of two snapshots. Rows are told apart by --key, else by the dbt model's
    `unique_key` or its `unique` test; where there is none, a changed row is one that went and one that came.
    """
    from floe_dev.cli.render.traces import history_text, links_text
    from floe_dev.errors import Code, FloeError

    session = session_of(output, root)
    if what.isdigit():
        join = joined(output, session)
        links = join.of_snapshot(int(what))
        if not (links.snapshots or links.traces):
            why = None if join.tables else "no table could be read: only the traces were searched"
            raise FloeError(Code.NO_LINEAGE, f"no table has a snapshot {what}", why=why, fix="floe tables")
        if as_json:
            output.document(links.model_dump(mode="json"))
            return
        output.data(links_text(links, color=output.color, width=output.width))
        return
    info = session.table(what.replace("/", "."))
    if diff is not None:
        _compare(output, session, info, diff, keys, limit, as_json=as_json)
        return
    history = joined(output, session, tables=[info]).history(info)
    if as_json:
        output.document({"table": info.identifier, "snapshots": [link.model_dump(mode="json") for link in history]})
    elif history:
        output.data(history_text(history, color=output.color, width=output.width))
    else:
        output.say(f"nobody has written to {info.identifier} yet")


def _compare(
    output: Output,
    session: Session,
    info: TableInfo,
    names: tuple[str, str],
    keys: tuple[str, ...],
    limit: int,
    *,
    as_json: bool,
) -> None:
    from floe_dev.catalogs.inspect import diff, find_snapshot, open_table
    from floe_dev.cli.commands.tables import difference_document
    from floe_dev.cli.render.row_diff import rows_text
    from floe_dev.cli.render.table_detail import difference_text
    from floe_dev.telemetry.row_diff import row_diff

    before, after = (find_snapshot(info, each) for each in names)
    found = diff(open_table(session.connection(), info), info, before, after)
    nodes = [snapshot.summary["floe.dbt-node"] for snapshot in info.snapshots if "floe.dbt-node" in snapshot.summary]
    key = keys or _key_of(session, nodes[-1] if nodes else None)
    table = (session.connection().alias, ".".join(info.namespace), info.name)
    with session.duckdb() as connection:
        rows = row_diff(connection, table, (before.snapshot_id, after.snapshot_id), key, limit)
    if as_json:
        content = {**difference_document(found), "rowDiff": asdict(rows)}
        output.document(json.loads(json.dumps(content, default=str)))
    else:
        output.data(difference_text(found, output))
        output.data(rows_text(rows, output))


def _key_of(session: Session, node: str | None) -> tuple[str, ...]:
    from floe_dev.dbt.keys import unique_key
    from floe_dev.orchestrators.dagster.manifest import manifest_path

    return unique_key(manifest_path(session.project), node) if node else ()
