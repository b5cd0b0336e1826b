"""`floe tables`: the catalog's tables, one of them in detail, and what changed between two snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.table_detail import detail_text, difference_text, partition_fields, sort_fields, when
from floe_dev.cli.render.tables import table
from floe_dev.cli.sessions import session_of
from floe_dev.model.units import size

if TYPE_CHECKING:
    from floe_dev.catalogs.inspect import TableDiff
    from floe_dev.model.tables import Snapshot, TableInfo


@click.group(name="tables", invoke_without_command=True, short_help="List tables; show one; compare two snapshots.")
@click.option("--namespace", "-n", default=None, help="Only this namespace.")
@project_or_capsule_option
@json_option
@pass_output
def command(output: Output, namespace: str | None, as_json: bool, root: Path) -> None:
    """List the catalog's tables; `show NAME` and `diff NAME A B` look into one.

    Rows, files and sizes are those of the current snapshot's summary: nothing is scanned.
    """
    tables = session_of(output, root).tables()
    found = [info for info in tables if namespace is None or ".".join(info.namespace) == namespace]
    if as_json:
        output.document({"tables": [listed(info) for info in found]})
        return
    if not found:
        output.say("no tables yet")
        output.say(f"make them with: {floe_command('run', project=root)}")
        return
    rows = [
        (
            info.identifier,
            info.kind if info.kind == "view" else None,
            info.rows if info.kind == "table" else None,
            info.files,
            size(info.bytes),
            len(info.snapshots) if info.kind == "table" else None,
            when(info.updated_ms),
        )
        for info in found
    ]
    columns = ("table", "kind", "rows", "files", "size", "snapshots", "updated")
    kept = [i for i, name in enumerate(columns) if name != "kind" or any(row[i] for row in rows)]
    shown = [[row[i] for i in kept] for row in rows]
    output.data(table([columns[i] for i in kept], shown, width=output.width, color=output.color))


@command.command()
@click.argument("name")
@project_or_capsule_option
@json_option
@pass_output
def show(output: Output, name: str, as_json: bool, root: Path) -> None:
    """Show one table: schema, snapshots, files, partitions and properties."""
    from floe_dev.catalogs.inspect import partitions_of

    session = session_of(output, root)
    info = session.table(name)
    files = session.files(info)
    partitions = partitions_of(files)
    if as_json:
        output.document(
            {
                **listed(info),
                "location": info.location,
                "metadataLocation": info.metadata_location,
                "formatVersion": info.format_version,
                "schema": info.schema(),
                "partitionSpec": partition_fields(info),
                "sortOrder": sort_fields(info),
                "properties": info.metadata.get("properties") or {},
                "snapshotLog": [snapshot_content(snapshot) for snapshot in info.snapshots],
                "partitions": [vars(p) for p in partitions],
                "dataFiles": [vars(file) for file in files],
            }
        )
        return
    output.data(detail_text(info, files, output))


@command.command(name="diff")
@click.argument("name")
@click.argument("before", default="previous")
@click.argument("after", default="current")
@project_or_capsule_option
@json_option
@pass_output
def diff_command(output: Output, name: str, before: str, after: str, as_json: bool, root: Path) -> None:
    """Compare two snapshots of table NAME (default: the previous with the current one).

    A snapshot is its id, its number in `floe tables show`, or current, previous, first.
    """
    from floe_dev.catalogs.inspect import diff, find_snapshot, open_table

    session = session_of(output, root)
    info = session.table(name)
    found = diff(open_table(session.connection(), info), info, find_snapshot(info, before), find_snapshot(info, after))
    if as_json:
        output.document(difference_document(found))
        return
    output.data(difference_text(found, output))


def difference_document(found: TableDiff) -> dict[str, Any]:
    """What lies between two snapshots as JSON shows it."""
    return {
        "table": found.identifier,
        "before": snapshot_content(found.before),
        "after": snapshot_content(found.after),
        "rows": {"before": found.rows_before, "after": found.rows_after},
        "files": {
            "added": [vars(file) for file in found.files_added],
            "removed": [vars(file) for file in found.files_removed],
            "kept": found.files_kept,
        },
        "columns": {
            "added": found.columns_added,
            "removed": found.columns_removed,
            "changed": found.columns_changed,
        },
    }


def listed(info: TableInfo) -> dict[str, Any]:
    """A table as the JSON list shows it."""
    return {
        "name": info.identifier,
        "kind": info.kind,
        "rows": info.rows,
        "files": info.files,
        "bytes": info.bytes,
        "snapshots": len(info.snapshots),
        "currentSnapshotId": info.current.snapshot_id if info.current else None,
        "updatedMs": info.updated_ms,
    }


def snapshot_content(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as JSON shows it; ids stay numbers, as in the metadata."""
    return {
        "number": snapshot.number,
        "snapshotId": snapshot.snapshot_id,
        "parentId": snapshot.parent_id,
        "timestampMs": snapshot.timestamp_ms,
        "operation": snapshot.operation,
        "summary": snapshot.summary,
    }
